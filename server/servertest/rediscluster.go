package servertest

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

const clusterSlots = 16384

// RedisCluster is a real Redis Cluster of three primaries without copies.
type RedisCluster struct {
	Nodes []*RedisServer
}

// StartRedisCluster starts three redis-servers that form a Redis Cluster and
// waits until each of them finds it healthy. They end with the test.
func StartRedisCluster(tb testing.TB) *RedisCluster {
	tb.Helper()
	c := &RedisCluster{}
	for range 3 {
		c.Nodes = append(c.Nodes, Redis(tb, "--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf",
			"--cluster-node-timeout", "1000", "--cluster-port", strconv.Itoa(freePort(tb))))
	}
	for i, node := range c.Nodes {
		from, to := i*clusterSlots/len(c.Nodes), (i+1)*clusterSlots/len(c.Nodes)-1
		node.Do("CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(from), strconv.Itoa(to))
		node.Do("CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1))
	}
	for _, node := range c.Nodes[1:] {
		c.Nodes[0].Do("CLUSTER", "MEET", "127.0.0.1", strconv.Itoa(node.port), strings.TrimSpace(node.clusterPort()))
	}
	deadline := time.Now().Add(startPatience)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for _, node := range c.Nodes {
		for {
			info := node.Do("CLUSTER", "INFO")
			if strings.Contains(info, "cluster_state:ok") && strings.Contains(info, fmt.Sprintf("cluster_known_nodes:%d", len(c.Nodes))) {
				break
			}
			if time.Now().After(deadline) {
				tb.Fatalf("the Redis Cluster is not healthy within %v:\n%s", startPatience, info)
			}
			<-tick.C // the servers tell each other about themselves; nothing announces the end of that
		}
	}
	return c
}

// URL returns what --redis takes.
func (c *RedisCluster) URL() string {
	var addrs []string
	for _, node := range c.Nodes {
		addrs = append(addrs, node.Addr())
	}
	return "redis+cluster://" + strings.Join(addrs, ",")
}

// clusterPort is the port on which the nodes speak with each other.
func (s *RedisServer) clusterPort() string {
	for i, arg := range s.args {
		if arg == "--cluster-port" {
			return s.args[i+1]
		}
	}
	return ""
}
