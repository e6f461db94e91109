package servertest_test

import (
	"strings"
	"testing"

	"readout/server/servertest"
)

func TestRedisReplicaIsPromoted(t *testing.T) {
	t.Parallel()
	primary := servertest.Redis(t)
	primary.Do("SET", "a key", "a value")
	replica := servertest.RedisReplica(t, primary.Addr())
	if got := replica.Do("GET", "a key"); got != "a value" {
		t.Errorf("the copy holds %q", got)
	}
	sentinel := servertest.RedisSentinel(t, primary)
	sentinel.Failover()
	if got := sentinel.Do("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "readout"); strings.ReplaceAll(got, "\n", ":") != replica.Addr() {
		t.Errorf("the Sentinel names %q", got)
	}
	replica.Do("SET", "a key", "another")
	primary.Follow(replica.Addr())
	if role := primary.Info("role"); role != "slave" {
		t.Errorf("the old primary is a %s", role)
	}
}

func TestRedisHandsOver(t *testing.T) {
	t.Parallel()
	primary := servertest.Redis(t)
	primary.Do("SET", "a key", "a value")
	replica := servertest.RedisReplica(t, primary.Addr())
	primary.HandOver()
	replica.Do("SET", "a key", "another")
	if role := replica.Info("role"); role != "master" {
		t.Errorf("the copy is a %s", role)
	}
}

func TestRedisLoads(t *testing.T) {
	t.Parallel()
	r := servertest.Redis(t, "--appendonly", "yes")
	r.Fill(500)
	r.RestartLoading()
	if r.Info("loading") != "1" {
		t.Error("it is not loading")
	}
	r.Loaded()
	if got := r.Do("GET", "filler:500"); !strings.HasPrefix(got, "xxx") {
		t.Errorf("it came back with %q", got)
	}
	if r.Rejected()["ping"] == 0 {
		t.Errorf("it refused no PING while it was loading: %v", r.Rejected())
	}
}
