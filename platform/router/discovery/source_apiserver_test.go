package discovery

import (
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"breakbank/platform/apiserver/client"
)

func oneSubset(ports ...int) string {
	subsets := make([]string, len(ports))
	for i, port := range ports {
		subsets[i] = fmt.Sprintf(`{"addresses":[{"ip":"127.0.0.1","nodeName":"n"}],"ports":[{"port":%d,"protocol":"TCP"}]}`, port)
	}
	return "[" + strings.Join(subsets, ",") + "]"
}

// startAgainst runs a router's discovery on an API server.
func startAgainst(t *testing.T, k *kubelike, o client.Options, policies ...string) *mirror {
	t.Helper()
	o.Token = k.token
	source, err := NewAPIServerWith(k.server.URL, o)
	if err != nil {
		t.Fatal(err)
	}
	chosen, err := PoliciesByName(policies)
	if err != nil {
		t.Fatal(err)
	}
	m := &mirror{table: map[string]string{}}
	m.runner = StartRunner(RunnerConfig{
		Core:    Config{Parser: linkerd2018, Policies: chosen, WatchNull: DropNull, Rand: rand.New(rand.NewPCG(1, 1))},
		Sources: []Source{source},
		Apply:   m.apply,
		Log:     slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	t.Cleanup(m.runner.Close)
	return m
}

// TestAnotherAPIServer: everything that a Kubernetes API server may do to its
// clients, done by one that is not ours, ends with the right table.
func TestAnotherAPIServer(t *testing.T) {
	for _, compress := range []bool{false, true} {
		t.Run(fmt.Sprintf("compressed %v", compress), func(t *testing.T) {
			k := newKubelike(t)
			k.pageItems, k.compress = 7, compress
			for i := range 30 {
				k.set("default", fmt.Sprintf("service-%d", i), oneSubset(1000+i))
			}
			k.set("default", "ledger", oneSubset(1))
			k.set("prod", "ledger", oneSubset(2))
			k.set("kube-system", "leader.lock", "")
			m := startAgainst(t, k, client.Options{Namespace: client.AllNamespaces}, "keep-last")
			says := func(what string, want map[string]string) {
				t.Helper()
				m.await(t, what, func(table map[string]string, s State) bool {
					for service, addrs := range want {
						if got, known := table[service]; got != addrs || known == (addrs == "") {
							return false
						}
					}
					return s.Synced
				})
			}
			says("five pages", map[string]string{"service-0": "1000", "service-29": "1029", "ledger": "1", "ledger.prod": "2"})

			k.set("default", "ledger", oneSubset(3, 4))
			k.set("prod", "ledger", oneSubset(5))
			says("events of two namespaces", map[string]string{"ledger": "3 4", "ledger.prod": "5"})
			k.set("prod", "ledger", "")
			says("a deletion", map[string]string{"ledger": "3 4", "ledger.prod": ""})

			k.cutOff()
			k.set("default", "ledger", oneSubset(6))
			says("the watch resumes where it was", map[string]string{"ledger": "6"})
			k.mu.Lock()
			if k.lists != 5 {
				t.Errorf("%d lists were asked for: %q", k.lists, k.listedSince)
			}
			k.mu.Unlock()

			for i, as := range []string{"status", "event"} {
				// What happens between the compaction and the list is in the list.
				k.set("default", "gone", oneSubset(9))
				says("before it is compacted", map[string]string{"gone": "9"})
				k.set("default", "gone", "")
				k.set("default", "ledger", oneSubset(10+i))
				k.compact(as)
				says("410 as "+as, map[string]string{"ledger": fmt.Sprint(10 + i), "gone": ""})
			}
		})
	}
}

// A router at home in one namespace sees nothing of the others.
func TestOneNamespace(t *testing.T) {
	k := newKubelike(t)
	k.set("prod", "ledger", oneSubset(1))
	k.set("default", "ledger", oneSubset(2))
	source, err := NewAPIServerWith(k.server.URL, client.Options{Namespace: "prod", Token: k.token})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	_, items, err := source.List(t.Context())
	if err != nil || len(items) != 1 {
		t.Fatalf("%d records, %v", len(items), err)
	}
	if e, err := linkerd2018.In("prod").Parse(items[0]); err != nil || e.Service != "ledger" || e.Endpoints[0].Addr != "127.0.0.1:1" {
		t.Errorf("%+v, %v", e, err)
	}
}

// A server that asks to be left alone is, and what happened meanwhile is not
// lost.
func TestRetryAfterIsKept(t *testing.T) {
	k := newKubelike(t)
	k.set("default", "ledger", oneSubset(1))
	m := startAgainst(t, k, client.Options{}, "keep-last")
	m.await(t, "first list", func(table map[string]string, s State) bool { return table["ledger"] == "1" && s.Synced })
	k.busyFor(time.Second)
	k.set("default", "ledger", oneSubset(2))
	m.await(t, "after the rest", func(table map[string]string, _ State) bool { return table["ledger"] == "2" })
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.askedBusy != 0 {
		t.Errorf("asked %d times more in the second that it was to wait", k.askedBusy)
	}
}

// Whom the API server does not know, it tells so.
func TestUnauthorizedIsSaid(t *testing.T) {
	k := newKubelike(t)
	source := NewAPIServer(k.server.URL)
	defer source.Close()
	if _, _, err := source.List(t.Context()); err == nil || !strings.Contains(err.Error(), "401") {
		t.Error(err)
	}
	if err := source.Watch(t.Context(), 1, func(Notice) {}); err == nil || !strings.Contains(err.Error(), "Unauthorized") {
		t.Error(err)
	}
}
