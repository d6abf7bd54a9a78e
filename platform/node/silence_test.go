package node

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync/atomic"
	"testing"

	"breakbank/platform/process"
)

// TestSilenceIsNoticedWithoutTheRegistry: what the agent itself says of an
// instance does not wait for anybody to take it in.
func TestSilenceIsNoticedWithoutTheRegistry(t *testing.T) {
	t.Parallel()
	var dark darkness
	m := newMachineRoomWith(t, 1, func(cfg *AgentConfig) {
		withProcesses(t)(cfg)
		cfg.APIServers = dark.before(t, cfg.APIServers)
	}, "a2")
	m.deploy("ledger", "v1", "a2")
	i := m.instanceOf("a2", "")
	await(t, "its endpoint", func() bool { return slices.Equal(m.endpoints("ledger"), []string{i.Address}) })
	agent := m.agents["a2"]
	dark.set(true)
	if err := agent.SignalInstance(i.Name, SignalStop); err != nil {
		t.Fatal(err)
	}
	await(t, "not ready", func() bool { return !agent.Instances()[0].Ready })
	if err := agent.SignalInstance(i.Name, SignalContinue); err != nil {
		t.Fatal(err)
	}
	await(t, "ready again", func() bool { return agent.Instances()[0].Ready && agent.Instances()[0].State == process.Running })
	dark.set(false)
	await(t, "its endpoint, still or again", func() bool { return slices.Equal(m.endpoints("ledger"), []string{i.Address}) })
	if now := m.instanceOf("a2", ""); now.PID != i.PID {
		t.Errorf("%+v became %+v", i, now)
	}
}

// darkness stands between a node and its API servers, and can answer nothing
// but that they are not there.
type darkness struct{ dark atomic.Bool }

func (d *darkness) set(dark bool) { d.dark.Store(dark) }

// before returns addresses that stand for those of API servers.
func (d *darkness) before(t *testing.T, bases []string) []string {
	stand := make([]string, len(bases))
	for i, base := range bases {
		behind, err := url.Parse(base)
		if err != nil {
			t.Fatal(err)
		}
		proxy := httputil.NewSingleHostReverseProxy(behind)
		proxy.FlushInterval = -1 // Watches.
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if d.dark.Load() {
				http.Error(w, "dark", http.StatusServiceUnavailable)
				return
			}
			proxy.ServeHTTP(w, r)
		}))
		t.Cleanup(func() {
			server.CloseClientConnections()
			server.Close()
		})
		stand[i] = server.URL
	}
	return stand
}
