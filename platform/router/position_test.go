package router

import (
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"breakbank/platform/router/balance"
	"breakbank/platform/router/discovery"
)

// TestRoutersDivideInstances: routers that know their numbers use all instances,
// each its own part of them.
func TestRoutersDivideInstances(t *testing.T) {
	const routers, each = 3, 12 // an aperture is that wide at least
	entry := discovery.Entry{Service: "echo"}
	for i := range routers * each {
		entry.Endpoints = append(entry.Endpoints, discovery.Endpoint{Addr: fmt.Sprintf("h:%d", i+1)})
	}
	users := map[string]int{}
	for i := range routers {
		r, err := New(Options{
			Index: i, Callers: routers, Config: []byte("strategy: aperture"),
			APIServers: []string{"http://nowhere.invalid"}, Log: slog.New(slog.DiscardHandler), Seed: uint64(i),
		})
		if err != nil {
			t.Fatal(err)
		}
		r.table.plane = nowhere{}
		r.table.apply([]discovery.Publish{{Entries: []discovery.Entry{entry}}}, discovery.State{Basis: discovery.FromSource})
		s := r.table.lookup("echo")
		used := map[string]bool{}
		now := time.Unix(0, 0)
		for range 2_000 {
			now = now.Add(time.Millisecond)
			e := s.pick(now, balance.Request{}, nil)
			used[e.Addr] = true
			s.done(e, outcome{fate: answered, began: now, now: now})
		}
		if len(used) != each {
			t.Errorf("router %d uses %d of %d instances, want %d", i, len(used), len(entry.Endpoints), each)
		}
		for addr := range used {
			users[addr]++
		}
	}
	if len(users) != routers*each {
		t.Errorf("%d of %d instances are used by anybody", len(users), routers*each)
	}
}

func TestPositionsThatCannotBe(t *testing.T) {
	for _, p := range []position{{3, 3}, {-1, 3}, {0, -1}} {
		_, err := New(Options{Index: p.index, Callers: p.callers, APIServers: []string{"http://nowhere.invalid"}})
		if err == nil || !strings.Contains(err.Error(), "cannot be number") {
			t.Errorf("%+v: %v", p, err)
		}
	}
}

// nowhere is a data plane whose channels lead nowhere.
type nowhere struct{}

func (nowhere) serve(net.Listener) error       { return nil }
func (nowhere) channel(string, string) channel { return nowhereChannel{} }
func (nowhere) drain()                         {}
func (nowhere) stop()                          {}

type nowhereChannel struct{}

func (nowhereChannel) connect()          {}
func (nowhereChannel) ready() bool       { return true }
func (nowhereChannel) probe(probeAnswer) {}
func (nowhereChannel) close()            {}
