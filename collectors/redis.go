package collectors

import (
	"bufio"
	"context"
	"errors"
	"net/url"
	"strconv"
	"strings"
	"time"

	"readout/server/reading"
)

// redisInterval is how often a Redis is asked unless its item says otherwise.
const redisInterval = 5 * time.Second

// Redis reads what a Redis or Valkey says of itself in INFO: topics
// redis{instance="host:6379"} and, for each of its databases, redis_keys with
// the label db.
type Redis struct {
	name     string
	instance string
	topic    reading.Topic
	info     func(context.Context) (string, error)
	seen     Description // databases that have appeared
}

// NewRedis makes the collector of one server, whose address without a password
// is instance. info asks it for the text of INFO.
func NewRedis(instance string, info func(context.Context) (string, error)) (*Redis, error) {
	topic, err := reading.NewTopic("redis", reading.Label{Name: "instance", Value: instance})
	if err != nil {
		return nil, err
	}
	return &Redis{name: "redis:" + instance, instance: instance, topic: topic, info: info, seen: Description{}}, nil
}

// Name is redis: and the instance.
func (r *Redis) Name() string { return r.name }

// Interval is 5 seconds.
func (r *Redis) Interval() time.Duration { return redisInterval }

// redisField is one line of INFO that becomes a column.
type redisField struct {
	field string
	reading.Column
}

// redisFields are the columns in their order. Those that a server does not tell
// are left out.
func redisFields() []redisField {
	gauge := func(field, name, unit string) redisField {
		return redisField{field, reading.Column{Name: name, Unit: unit, Kind: reading.Gauge}}
	}
	counter := func(field, name, unit string) redisField {
		return redisField{field, reading.Column{Name: name, Unit: unit, Kind: reading.Counter}}
	}
	return []redisField{
		gauge("used_memory", "used_memory", "bytes"),
		gauge("used_memory_rss", "used_memory_rss", "bytes"),
		gauge("maxmemory", "max_memory", "bytes"),
		gauge("connected_clients", "connected", ""),
		gauge("blocked_clients", "blocked", ""),
		counter("total_commands_processed", "commands", ""),
		counter("total_connections_received", "connections", ""),
		counter("rejected_connections", "rejected", ""),
		counter("total_net_input_bytes", "received", "bytes"),
		counter("total_net_output_bytes", "sent", "bytes"),
		counter("keyspace_hits", "hits", ""),
		counter("keyspace_misses", "misses", ""),
		counter("expired_keys", "expired", ""),
		counter("evicted_keys", "evicted", ""),
		counter("used_cpu_user", "cpu_user", "s"),
		counter("used_cpu_sys", "cpu_system", "s"),
		gauge("uptime_in_seconds", "uptime", "s"),
		gauge("connected_slaves", "replicas", ""),
	}
}

// Columns that are made of several lines of INFO.
const (
	redisRole = "role"                // primary or copy
	redisLink = "link"                // up or down, of a copy
	redisLag  = "replication_lag"     // s since a copy heard of its primary; of a primary, the most of its copies
	redisBack = "replication_behind"  // bytes that the slowest copy has not confirmed
	redisSave = "last_save_succeeded" // of the last snapshot to disk
)

// Describe gives the columns of the server, and of the databases seen so far.
func (r *Redis) Describe() Description {
	columns := []reading.Column{{Name: redisRole, Kind: reading.State}}
	for _, f := range redisFields() {
		columns = append(columns, f.Column)
	}
	columns = append(columns,
		reading.Column{Name: redisLag, Unit: "s", Kind: reading.Gauge},
		reading.Column{Name: redisBack, Unit: "bytes", Kind: reading.Gauge},
		reading.Column{Name: redisLink, Kind: reading.State},
		reading.Column{Name: redisSave, Kind: reading.State})
	all := Description{r.topic: columns}
	for topic, columns := range r.seen {
		all[topic] = columns
	}
	return all
}

// Collect asks once.
func (r *Redis) Collect(ctx context.Context) ([]reading.Reading, error) {
	text, err := r.info(ctx)
	if err != nil {
		return nil, err
	}
	now := time.Now().UnixMilli()
	fields := parseInfo(text)
	values := infoValues(fields)
	if len(values) == 0 {
		return nil, errors.New("the answer to INFO holds no figures")
	}
	list := []reading.Reading{{Topic: r.topic, Time: now, Values: values}}
	for i := range 256 { // databases are numbered; Redis has 16 unless it is told otherwise
		db := "db" + strconv.Itoa(i)
		keys, ok := fields[db]
		if !ok {
			continue
		}
		topic, err := reading.NewTopic("redis_keys", reading.Label{Name: "instance", Value: r.instance}, reading.Label{Name: "db", Value: db})
		if err != nil {
			return nil, err
		}
		var values []reading.Named
		for _, name := range []string{"keys", "expires"} {
			if n, ok := reading.ParseNumber(part(keys, name)); ok {
				values = append(values, reading.Named{Name: name, Value: reading.NumberOf(n)})
			}
		}
		if len(values) == 0 {
			continue
		}
		r.seen[topic] = []reading.Column{{Name: "keys", Kind: reading.Gauge}, {Name: "expires", Kind: reading.Gauge}}
		list = append(list, reading.Reading{Topic: topic, Time: now, Values: values})
	}
	return list, nil
}

// parseInfo reads the lines name:value of INFO.
func parseInfo(text string) map[string]string {
	fields := map[string]string{}
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		line := strings.TrimRight(lines.Text(), "\r")
		if name, value, ok := strings.Cut(line, ":"); ok && !strings.HasPrefix(line, "#") {
			fields[name] = value
		}
	}
	return fields
}

func infoValues(fields map[string]string) []reading.Named {
	var values []reading.Named
	role := map[string]string{"master": "primary", "slave": "copy"}[fields["role"]]
	if role != "" {
		values = append(values, reading.Named{Name: redisRole, Value: reading.TextOf(role)})
	}
	figures := 0
	for _, f := range redisFields() {
		if n, ok := reading.ParseNumber(fields[f.field]); ok {
			values = append(values, reading.Named{Name: f.Name, Value: reading.NumberOf(n)})
			figures++
		}
	}
	if figures == 0 {
		return nil
	}
	lag, behind, known := replication(fields, role)
	if known {
		values = append(values, reading.Named{Name: redisLag, Value: reading.NumberOf(lag)})
		if role == "primary" {
			values = append(values, reading.Named{Name: redisBack, Value: reading.NumberOf(behind)})
		}
	}
	if link := fields["master_link_status"]; role == "copy" && (link == "up" || link == "down") {
		values = append(values, reading.Named{Name: redisLink, Value: reading.TextOf(link)})
	}
	if save := fields["rdb_last_bgsave_status"]; save == "ok" || save == "err" {
		values = append(values, reading.Named{Name: redisSave, Value: reading.BoolOf(save == "ok")})
	}
	return values
}

// replication is how far copies are behind: seconds since they were heard of,
// and bytes that they have not confirmed. A copy only knows the seconds.
func replication(fields map[string]string, role string) (lag, behind float64, known bool) {
	if role == "copy" {
		lag, known = reading.ParseNumber(fields["master_last_io_seconds_ago"])
		return max(lag, 0), 0, known && lag >= 0 // -1 while the link is down
	}
	offset, _ := reading.ParseNumber(fields["master_repl_offset"])
	for i := range 64 {
		line, ok := fields["slave"+strconv.Itoa(i)]
		if !ok {
			continue
		}
		if seconds, ok := reading.ParseNumber(part(line, "lag")); ok {
			lag, known = max(lag, seconds), true
		}
		if at, ok := reading.ParseNumber(part(line, "offset")); ok {
			behind = max(behind, offset-at)
		}
	}
	return lag, behind, known
}

// part reads one value of a line a=1,b=2.
func part(line, name string) string {
	for pair := range strings.SplitSeq(line, ",") {
		if value, ok := strings.CutPrefix(pair, name+"="); ok {
			return value
		}
	}
	return ""
}

// redisInstance is the address in a URL of a Redis, without user and password,
// checked as far as the guard can before a name is looked up. A password may
// stand in it, since Redis knows no other place for it; it goes into no label,
// no error and no line of the log.
func redisInstance(text string, guard *Guard) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "redis" && u.Scheme != "rediss" && u.Scheme != "valkey" && u.Scheme != "valkeys" {
		return "", reading.Refuse("bad_target", "%s is not the address of a Redis; write it like redis://host:6379", reading.Quote(withoutUser(text)))
	}
	if strings.Contains(withoutUser(text), "@") {
		return "", reading.Refuse("bad_target", "the address of the Redis holds an @ that is not behind a user; write it as %%40")
	}
	if err := guard.checkHost(u); err != nil {
		return "", err
	}
	port := u.Port()
	if port == "" {
		port = "6379"
	}
	host := u.Hostname()
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return host + ":" + port, nil
}
