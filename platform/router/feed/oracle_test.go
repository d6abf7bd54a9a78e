package feed

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"breakbank/platform/router/discovery"
)

// applied keeps what a feed has said.
type applied struct {
	told chan string
}

func (a *applied) options() Options {
	a.told = make(chan string, 100)
	return Options{Runner: discovery.RunnerConfig{Log: slog.New(slog.DiscardHandler), Apply: func(changes []discovery.Publish, s discovery.State) {
		for _, c := range changes {
			for _, e := range c.Entries {
				var addrs []string
				for _, ep := range e.Endpoints {
					addrs = append(addrs, ep.Addr)
				}
				a.told <- fmt.Sprintf("%s: %s", e.Service, strings.Join(addrs, " "))
			}
		}
		if s.Basis == discovery.Pending {
			a.told <- "pending: " + s.Detail
		}
	}}}
}

func (a *applied) expect(t *testing.T, want string) {
	t.Helper()
	limit := time.NewTimer(20 * time.Second)
	defer limit.Stop()
	select {
	case got := <-a.told:
		if got != want {
			t.Errorf("told %q, want %q", got, want)
		}
	case <-limit.C:
		t.Fatalf("not told %q", want)
	}
}

func TestOracle(t *testing.T) {
	defer goleak.VerifyNone(t)
	truth := &Truth{}
	one, two := discovery.Endpoint{Addr: "127.0.0.1:1"}, discovery.Endpoint{Addr: "127.0.0.1:2"}
	truth.Serves("ledger", two)
	var a applied
	o := a.options()
	o.Truth = truth
	f := Start("oracle", o)
	defer f.Close()
	a.expect(t, "ledger: 127.0.0.1:2")
	truth.Serves("ledger", one)
	a.expect(t, "ledger: 127.0.0.1:1 127.0.0.1:2")
	truth.Serves("ledger", one) // It does so already.
	truth.Ends("ledger", two)
	truth.Ends("ledger", two)
	a.expect(t, "ledger: 127.0.0.1:1")
	truth.Ends("ledger", one)
	a.expect(t, "ledger: ")
}

// TestWhatIsMissingIsSaid: a feed that was not given what it needs has no
// table, and says why.
func TestWhatIsMissingIsSaid(t *testing.T) {
	for name, want := range map[string]string{
		"oracle": "nobody here knows", "dns": "no name server", "client-go": "no API server",
		EtcdNaming: "gRPC channels only", "gossip": "is not one of",
	} {
		var a applied
		f := Start(name, a.options())
		select {
		case got := <-a.told:
			if !strings.HasPrefix(got, "pending") || !strings.Contains(got, want) {
				t.Errorf("%s: told %q, want %q in it", name, got, want)
			}
		default:
			t.Errorf("%s: told nothing", name)
		}
		f.Testify(discovery.Evidence{})
		f.Close()
	}
}

func TestNamesAreThoseOfTheTable(t *testing.T) {
	if got := Names(); !slices.Contains(got, Own) || len(got) != len(Kinds) {
		t.Errorf("names %v", got)
	}
	if k, err := ByName(""); err != nil || k.Name != Own {
		t.Errorf("nothing named is %v, %v; want the product's own", k.Name, err)
	}
}
