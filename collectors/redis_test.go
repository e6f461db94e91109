package collectors

import (
	"context"
	"errors"
	"strings"
	"testing"
)

const infoOfPrimary = "# Server\r\nredis_version:7.0.15\r\nuptime_in_seconds:42\r\n\r\n# Clients\r\nconnected_clients:3\r\nblocked_clients:1\r\n" +
	"# Memory\r\nused_memory:1048576\r\nused_memory_human:1.00M\r\nmaxmemory:0\r\n# Stats\r\ntotal_commands_processed:1000\r\nkeyspace_hits:7\r\nkeyspace_misses:2\r\n" +
	"# Persistence\r\nrdb_last_bgsave_status:ok\r\n" +
	"# Replication\r\nrole:master\r\nconnected_slaves:2\r\nslave0:ip=10.0.0.9,port=6379,state=online,offset=900,lag=1\r\nslave1:ip=10.0.0.8,port=6379,state=online,offset=700,lag=4\r\nmaster_repl_offset:1000\r\n" +
	"# Keyspace\r\ndb0:keys=12,expires=3,avg_ttl=0\r\ndb7:keys=1,expires=0,avg_ttl=0,subexpiry=0\r\n"

func TestRedisInfo(t *testing.T) {
	text := infoOfPrimary
	var fails error
	r, err := NewRedis("10.0.0.8:6379", func(context.Context) (string, error) { return text, fails })
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(collect(t, t.Context(), r), "\n")
	want := `redis{instance="10.0.0.8:6379"}[role=primary used_memory=1048576 max_memory=0 connected=3 blocked=1 commands=1000 hits=7 misses=2 uptime=42 replicas=2 replication_lag=4 replication_behind=300 last_save_succeeded=true]
redis_keys{db="db0",instance="10.0.0.8:6379"}[keys=12 expires=3]
redis_keys{db="db7",instance="10.0.0.8:6379"}[keys=1 expires=0]`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if n := len(r.Describe()); n != 3 {
		t.Errorf("%d topics are described, want 3", n)
	}
	text = "role:slave\r\nused_memory:1\r\nmaster_link_status:down\r\nmaster_last_io_seconds_ago:-1\r\n"
	if got := collect(t, t.Context(), r); len(got) != 1 || !strings.HasSuffix(got[0], "[role=copy used_memory=1 link=down]") {
		t.Errorf("a copy without its primary: %q", got)
	}
	text = "role:slave\r\nused_memory:1\r\nmaster_link_status:up\r\nmaster_last_io_seconds_ago:2\r\n"
	if got := collect(t, t.Context(), r); !strings.HasSuffix(got[0], "[role=copy used_memory=1 replication_lag=2 link=up]") {
		t.Errorf("a copy: %q", got)
	}
	for _, text = range []string{"", "HTTP/1.1 400", "used_memory:NaN"} {
		if list, err := r.Collect(t.Context()); err == nil {
			t.Errorf("%q became %v", text, list)
		}
	}
	fails = errors.New("away")
	if _, err := r.Collect(t.Context()); !errors.Is(err, fails) {
		t.Errorf("the error of the server became %v", err)
	}
}

func TestRedisInstance(t *testing.T) {
	for _, c := range []struct{ url, allow, want string }{
		{"redis://redis.example", "", "redis.example:6379"},
		{"rediss://me:secret@redis.example:6380/2?x=y", "", "redis.example:6380"},
		{"valkey://[2606::1]", "", "[2606::1]:6379"},
		{"redis://10.0.0.8", "10.0.0.0/8", "10.0.0.8:6379"},
		{"redis://:secret@10.0.0.8", "", ""},
		{"redis://:secret@169.254.169.254", "0.0.0.0/0", ""},
		{"redis://:sec@ret@10.0.0.8", "", ""},
		{"http://redis.example", "", ""},
		{"redis.example:6379", "", ""},
		{"redis://", "", ""},
		{"redis://:secret@/2", "", ""},
		{"redis://:sec ret@redis.example", "", ""},
	} {
		got, err := redisInstance(c.url, allowed(t, c.allow))
		if got != c.want || (err == nil) != (c.want != "") || err != nil && (!isBadTarget(err) || strings.Contains(err.Error(), "ret")) {
			t.Errorf("%s with %q: %q, %v; want %q", c.url, c.allow, got, err, c.want)
		}
	}
}
