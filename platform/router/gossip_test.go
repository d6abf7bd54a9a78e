package router

import (
	"io"
	"log/slog"
	"net/http/httptest"
	"testing"
)

// A router whose API server has gone learns from another router what has
// changed since.
func TestGossip(t *testing.T) {
	own, others := newRegistryStub(t), newRegistryStub(t)
	old, fresh := startBackend(t, "echo-1"), startBackend(t, "echo-2")
	for _, registry := range []*registryStub{own, others} {
		registry.set("echo", old.instance())
	}
	informed, _ := startRouter(t, others, "{policies: [keep-last]}")
	<-informed.Ready()
	peer := httptest.NewServer(informed)
	t.Cleanup(peer.Close)

	l := listen(t)
	r, err := New(Options{
		Node: "b1", Zone: "b", Config: []byte("{policies: [keep-last, heartbeat, gossip]}"), Listener: l,
		APIServers: []string{own.server.URL}, Peers: []string{peer.URL}, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Seed: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	r.Start()
	t.Cleanup(r.Kill)
	<-r.Ready()
	own.server.CloseClientConnections()
	own.server.Listener.Close()
	others.set("echo", fresh.instance())
	eventually(t, "the table of the other router", func() bool {
		table := r.Status().Table["echo"]
		return len(table) == 1 && table[0] == fresh.addr
	})
	if _, err := dialRouter(t, l.Addr().String(), "echo").UnaryCall(t.Context(), ask("x")); err != nil {
		t.Error(err)
	}
}
