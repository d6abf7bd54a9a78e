package registry

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"breakbank/platform/ports"
	"breakbank/platform/testrun"
)

// clustersMax is how many tests run at once, however few cores there are: they
// wait, for elections and for time to pass. More, and their members would keep
// each other waiting.
const clustersMax = 4

// TestMain fails when goroutines are left.
func TestMain(m *testing.M) {
	if config := os.Getenv(memberEnv); config != "" {
		if err := runMemberProcess(config, os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	testrun.AtOnce(clustersMax)
	os.Exit(testrun.Leaving(m, patience))
}

var quiet = slog.New(slog.DiscardHandler)

// testPorts are those of all tests: a member that is stopped, or not yet started,
// holds no port, and no other may be given it meanwhile.
var testPorts = ports.New()

// patience bounds every wait of these tests.
const patience = 20 * time.Second

func startCluster(t *testing.T, members int) *Cluster {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := StartCluster(ctx, ClusterConfig{Dir: t.TempDir(), Members: members, Address: testPorts.Address})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// local returns the members that run in this process.
func local(c *Cluster) []*Member {
	var members []*Member
	for _, p := range c.all() {
		if m, ok := p.host.(*Member); ok {
			members = append(members, m)
		}
	}
	return members
}

func newClient(t *testing.T, c *Cluster) *clientv3.Client {
	t.Helper()
	client, err := clientv3.New(clientv3.Config{Endpoints: c.ClientAddrs(), Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// eventually polls a condition, which says what it saw while it does not hold.
func eventually(t *testing.T, what string, holds func() (bool, any)) {
	t.Helper()
	deadline := time.Now().Add(patience)
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for {
		ok, saw := holds()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not so after %s; saw %v", what, patience, saw)
		}
		<-poll.C
	}
}
