package discovery

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"breakbank/platform/ports"
)

// TestProbesAreBounded: a service larger than anything foreseen loses all its
// addresses. No more is kept, under way or begun in a tick than the constants
// say, and in the end all of them have been asked.
func TestProbesAreBounded(t *testing.T) {
	const size = 3 * maxKept / 2
	core := New(Config{
		Parser: linkerd2018, Policies: []Policy{shrinkGuard{}}, Rand: rand.New(rand.NewPCG(1, 1)),
		Sources: []SourceInfo{{Name: "api-a"}},
	})
	now := time.Unix(1_509_113_400, 0)
	asked, underWay := map[string]bool{}, 0
	step := func(e Event) (begun int) {
		for _, effect := range core.Step(now, e) {
			if p, ok := effect.(Probe); ok {
				asked[p.Endpoint.Addr] = true
				begun++
			}
		}
		if underWay += begun; underWay > maxProbes {
			t.Fatalf("%d probes are under way", underWay)
		}
		return begun
	}
	var addrs []string
	for i := range size {
		addrs = append(addrs, fmt.Sprintf("h:%d", 1+i))
	}
	full := fmt.Appendf(nil, `{"metadata":{"name":"big","resourceVersion":"1"},"subsets":%s}`, labSubsets(addrs))
	step(Start{})
	session := core.sessions[0].id
	step(Listed{Session: session, Revision: 1, Items: []json.RawMessage{full}})
	session = core.sessions[0].id
	begun := step(Changed{Session: session, Revision: 2, Item: json.RawMessage(`{"metadata":{"name":"big","resourceVersion":"2"},"subsets":null}`)})
	if kept := core.State().Kept; kept != maxKept {
		t.Errorf("%d are kept, want %d", kept, maxKept)
	}
	for ticks := 0; len(asked) < maxKept; ticks++ {
		if ticks > 2*maxKept/maxProbes {
			t.Fatalf("after %d ticks only %d have been asked", ticks, len(asked))
		}
		for key := range core.probes.underWay {
			underWay--
			begun += step(Probed{Service: key.service, Addr: key.addr, Alive: true})
		}
		if begun > maxProbes {
			t.Fatalf("%d probes were begun in a tick", begun)
		}
		now = now.Add(TickEvery)
		begun = step(Tick{})
	}
}

// TestRunnerProbes: the shell asks whom the core wants asked, tells a refusal
// from silence, and ends what is under way when it is closed.
func TestRunnerProbes(t *testing.T) {
	source := NewStatic("static", Addresses{"ledger": {"127.0.0.1:1", "127.0.0.1:2"}})
	var asking atomic.Int32
	closed := make(chan struct{})
	m := &mirror{table: map[string]string{}}
	m.runner = StartRunner(RunnerConfig{
		Core: Config{
			Parser: linkerd2018, Policies: []Policy{shrinkGuard{}}, WatchNull: DropNull, Rand: rand.New(rand.NewPCG(1, 1)),
		},
		Sources: []Source{source},
		Apply:   m.apply,
		Log:     slog.New(slog.NewTextHandler(io.Discard, nil)),
		Probe: func(ctx context.Context, service string, e Endpoint) bool {
			if service != "ledger" || e.Addr == "127.0.0.1:1" {
				return false // refused
			}
			asking.Add(1)
			select { // it stands still
			case <-ctx.Done():
			case <-closed:
			}
			return false
		},
	})
	stop := sync.OnceFunc(m.runner.Close)
	t.Cleanup(stop)
	m.await(t, "the list", func(table map[string]string, _ State) bool { return table["ledger"] == "1 2" })
	source.Replace(Addresses{})
	m.await(t, "who refuses goes at once, who is silent does not", func(table map[string]string, s State) bool {
		return table["ledger"] == "2" && s.Kept == 1 && asking.Load() >= 1
	})
	m.await(t, "who is silent again goes", func(table map[string]string, _ State) bool {
		_, known := table["ledger"]
		return !known && asking.Load() >= lateAllowed
	})

	// Closed while a probe is under way: it ends with its context, which the
	// leak check of this package watches as well.
	before := asking.Load()
	source.Replace(Addresses{"ledger": {"127.0.0.1:2"}})
	m.await(t, "it is back", func(table map[string]string, _ State) bool { return table["ledger"] == "2" })
	source.Replace(Addresses{})
	m.await(t, "it is asked", func(map[string]string, State) bool { return asking.Load() > before })
	stop()
	close(closed)
}

func TestConnects(t *testing.T) {
	l, err := ports.New().Listen()
	if err != nil {
		t.Fatal(err)
	}
	accepted := make(chan net.Conn, 1)
	go func() {
		if conn, err := l.Accept(); err == nil {
			accepted <- conn
		}
		close(accepted)
	}()
	there := Endpoint{Addr: l.Addr().String()}
	if !Connects(t.Context(), "ledger", there) {
		t.Error("somebody listens there")
	}
	for conn := range accepted {
		conn.Close()
	}
	l.Close()
	if Connects(t.Context(), "ledger", there) {
		t.Error("nobody listens there any more")
	}
}
