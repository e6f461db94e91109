package embedded

import (
	"maps"
	"strconv"
	"strings"
	"time"
)

// command is one row of the table of commands.
type command struct {
	run   func(*client, [][]byte)
	words int  // how many the command has; -n for n or more
	write bool // it changes data: refused when nothing can be written

	parts map[string]command // of a command that is named by two words; it has nothing else then
}

// commands is every command that is known. They are those that server/store uses,
// and a few for people at redis-cli. What they do and answer is what Redis 7.0 does.
var commands map[string]command

func init() { // commands refer to the table themselves
	commands = map[string]command{
		"GET":       {run: (*client).getText, words: 2},
		"SET":       {run: (*client).setText, words: -3, write: true},
		"SETNX":     {run: (*client).setNew, words: 3, write: true},
		"MGET":      {run: (*client).getMany, words: -2},
		"DEL":       {run: (*client).del, words: -2, write: true},
		"UNLINK":    {run: (*client).del, words: -2, write: true},
		"EXISTS":    {run: (*client).exists, words: -2},
		"TYPE":      {run: (*client).kind, words: 2},
		"EXPIRE":    {run: expireIn(1000, nowMs), words: 3, write: true},
		"PEXPIRE":   {run: expireIn(1, nowMs), words: 3, write: true},
		"EXPIREAT":  {run: expireIn(1000, epoch), words: 3, write: true},
		"PEXPIREAT": {run: expireIn(1, epoch), words: 3, write: true},
		"PERSIST":   {run: (*client).persist, words: 2, write: true},
		"TTL":       {run: timeLeft(1000), words: 2},
		"PTTL":      {run: timeLeft(1), words: 2},
		"SCAN":      {run: (*client).scan, words: -2},
		"KEYS":      {run: (*client).keysLike, words: 2},
		"DBSIZE":    {run: (*client).dbsize, words: 1},
		"FLUSHALL":  {run: (*client).flushAll, words: -1, write: true},
		"FLUSHDB":   {run: (*client).flushAll, words: -1, write: true},

		"HGET":    {run: (*client).hget, words: 3},
		"HSET":    {run: (*client).hset, words: -4, write: true},
		"HDEL":    {run: (*client).hdel, words: -3, write: true},
		"HGETALL": {run: (*client).hgetall, words: 2},
		"HLEN":    {run: (*client).hlen, words: 2},

		"XADD":      {run: (*client).xadd, words: -5, write: true},
		"XLEN":      {run: (*client).xlen, words: 2},
		"XRANGE":    {run: (*client).xrange, words: -4},
		"XREVRANGE": {run: (*client).xrevrange, words: -4},
		"XREAD":     {run: (*client).xread, words: -4},
		"XTRIM":     {run: (*client).xtrim, words: -4, write: true},
		"XDEL":      {run: (*client).xdel, words: -3, write: true},
		"XSETID":    {run: (*client).xsetid, words: -3, write: true},
		"XINFO":     {parts: map[string]command{"STREAM": {run: (*client).xinfo, words: 3}}},

		"MULTI":   {run: (*client).multi, words: 1},
		"EXEC":    {run: (*client).exec, words: 1},
		"DISCARD": {run: (*client).discard, words: 1},
		"EVAL":    {run: (*client).eval, words: -3}, // its function asks for room itself
		"EVALSHA": {run: (*client).evalSHA, words: -3},

		"WAITAOF": {run: (*client).waitAOF, words: 4},

		"PING":   {run: (*client).ping, words: -1},
		"ECHO":   {run: (*client).echo, words: 2},
		"HELLO":  {run: (*client).hello, words: -1},
		"SELECT": {run: (*client).selectDB, words: 2},
		"CLIENT": {parts: map[string]command{"SETNAME": {run: (*client).setName, words: 3}, "GETNAME": {run: (*client).getName, words: 2}}},
		"CONFIG": {parts: map[string]command{"GET": {run: (*client).settings, words: -3}}},
		"INFO":   {run: (*client).info, words: -1},
		"TIME":   {run: (*client).time, words: 1},
		"QUIT":   {run: (*client).quit, words: -1},
	}
	for name, row := range maps.Clone(commands) {
		commands[strings.ToLower(name)] = row
	}
}

const (
	errFull = "OOM command not allowed when used memory > 'maxmemory'."
	errDisk = "MISCONF the append-only file cannot be written now; commands that change data are refused until it can"
)

// execute runs one command, or queues it for EXEC. The caller holds the lock.
func (c *client) execute(words [][]byte) {
	c.db.stats.Commands++
	row, known := commands[string(words[0])] // written large, or small as clients do
	if !known {
		row, known = commands[upper(words[0])]
	}
	var part string
	if row.parts != nil && len(words) > 1 {
		sub, known := row.parts[upper(words[1])]
		if !known {
			c.fail("ERR unknown subcommand '" + clip(words[1]) + "'. Try " + upper(words[0]) + " HELP.")
			return
		}
		row, part = sub, "|"+lower(words[1])
	}
	switch {
	case !known:
		var b strings.Builder
		b.WriteString("ERR unknown command '" + clip(words[0]) + "', with args beginning with: ")
		for _, w := range words[1:min(len(words), 20)] {
			if b.Len() > 128 {
				break
			}
			b.WriteString("'" + clip(w) + "' ")
		}
		c.fail(b.String())
	case row.run == nil, row.words > 0 && len(words) != row.words, len(words) < -row.words:
		c.fail("ERR wrong number of arguments for '" + lower(words[0]) + part + "' command")
	case c.transaction != nil && !c.transaction.running && !c.transaction.leads(words[0]):
		c.transaction.queue(words)
		c.out = append(c.out, replyQueued...)
	case row.write && !c.db.writable():
		c.fail(errDisk)
	default:
		row.run(c, words)
	}
}

func (c *client) ping(args [][]byte) {
	if len(args) > 1 {
		c.out = appendBulk(c.out, args[1])
		return
	}
	c.out = append(c.out, "+PONG\r\n"...)
}

func (c *client) echo(args [][]byte) { c.out = appendBulk(c.out, args[1]) }

// hello serves HELLO [2 [AUTH name password] [SETNAME name]].
func (c *client) hello(args [][]byte) {
	if len(args) > 1 && string(args[1]) != "2" {
		c.fail("NOPROTO unsupported protocol version")
		return
	}
	fields := []string{"server", "redis", "version", version, "proto", "", "id", "", "mode", "standalone", "role", "master", "modules", ""}
	c.out = appendArray(c.out, len(fields))
	for i := 0; i < len(fields); i += 2 {
		c.out = appendBulk(c.out, fields[i])
		switch fields[i] {
		case "proto":
			c.out = appendInt(c.out, 2)
		case "id":
			c.out = appendInt(c.out, 1)
		case "modules":
			c.out = appendArray(c.out, 0)
		default:
			c.out = appendBulk(c.out, fields[i+1])
		}
	}
}

// version is the version of Redis whose commands these are.
const version = "7.0.15"

func (c *client) selectDB(args [][]byte) {
	if string(args[1]) != "0" {
		c.fail("ERR DB index is out of range")
		return
	}
	c.out = append(c.out, replyOK...)
}

func (c *client) setName(args [][]byte) {
	c.name = string(args[2])
	c.out = append(c.out, replyOK...)
}

func (c *client) getName([][]byte) { c.out = appendBulk(c.out, c.name) }

// settings answers CONFIG GET with the few settings that there are.
func (c *client) settings(args [][]byte) {
	settings := [][2]string{
		{"maxmemory", strconv.Itoa(c.db.limits.Memory)}, {"maxmemory-policy", "noeviction"},
		{"appendonly", map[bool]string{true: "yes", false: "no"}[c.db.log != nil]}, {"save", ""}, {"databases", "1"},
	}
	var found []string
	for _, s := range settings {
		for _, pattern := range args[2:] {
			if matches(lower(pattern), s[0]) {
				found = append(found, s[0], s[1])
				break
			}
		}
	}
	c.out = appendArray(c.out, len(found))
	for _, word := range found {
		c.out = appendBulk(c.out, word)
	}
}

func (c *client) time([][]byte) {
	now := time.Now().UnixMicro()
	c.out = appendArray(c.out, 2)
	c.out = appendBulk(c.out, strconv.FormatInt(now/1_000_000, 10))
	c.out = appendBulk(c.out, strconv.FormatInt(now%1_000_000, 10))
}

func (c *client) quit([][]byte) {
	c.leaves = true
	c.out = append(c.out, replyOK...)
}
