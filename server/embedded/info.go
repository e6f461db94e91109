package embedded

import (
	"fmt"
	"hash/maphash"
	"strings"
)

// info serves INFO with the sections that tools look at.
func (c *client) info(args [][]byte) {
	d := c.db
	wanted := map[string]bool{}
	for _, a := range args[1:] {
		wanted[lower(a)] = true
	}
	all := len(wanted) == 0 || wanted["all"] || wanted["default"] || wanted["everything"]
	var b strings.Builder
	section := func(name string, lines ...string) {
		if all || wanted[strings.ToLower(name)] {
			fmt.Fprintf(&b, "# %s\r\n%s\r\n\r\n", name, strings.Join(lines, "\r\n"))
		}
	}
	streams := 0
	for _, waits := range d.waits {
		streams += len(waits)
	}
	run := maphash.String(d.seed, "run_id") // another one with each start, as of a process
	section("Server", "redis_version:"+version, "redis_mode:standalone", fmt.Sprintf("run_id:%040x", run), "readout_embedded:1")
	section("Clients", fmt.Sprintf("blocked_streams:%d", streams))
	section("Memory", fmt.Sprintf("used_memory:%d", d.bytes), fmt.Sprintf("maxmemory:%d", d.limits.Memory), "maxmemory_policy:noeviction")
	persistence := []string{"loading:0", "aof_enabled:0"}
	if d.log != nil {
		status := "ok"
		if d.log.broken != nil {
			status = "err"
		}
		persistence = []string{"loading:0", "aof_enabled:1", "aof_last_write_status:" + status}
	}
	section("Persistence", persistence...)
	section("Stats", fmt.Sprintf("total_commands_processed:%d", d.stats.Commands), fmt.Sprintf("total_error_replies:%d", d.stats.Errors),
		fmt.Sprintf("expired_keys:%d", d.stats.Expired), fmt.Sprintf("evicted_entries:%d", d.stats.Evicted))
	section("Replication", "role:master", "connected_slaves:0")
	if d.count > 0 {
		section("Keyspace", fmt.Sprintf("db0:keys=%d,expires=%d,avg_ttl=0", d.count, len(d.expires)))
	}
	c.out = appendBulk(c.out, b.String())
}
