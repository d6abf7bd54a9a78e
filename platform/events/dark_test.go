package events_test

import (
	"net"
	"strings"
	"testing"

	"breakbank/platform/events"
	"breakbank/platform/fault"
)

// TestASilentConnectionIsLeft: the connection carries nothing any more and is not
// closed, as that of a machine which was cut off for a while, and new ones work.
func TestASilentConnectionIsLeft(t *testing.T) {
	s := start(t)
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	relay := fault.NewRelay(l, func() string { return strings.TrimPrefix(s.URL(), "nats://") }, "client/nats")
	t.Cleanup(func() { _ = relay.Close() })
	b, err := events.Connect(t.Context(), "nats://"+relay.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	publishes := func(key string) func() bool {
		return func() bool { return b.Publish(t.Context(), events.AdviceSubject, key, advice(key)) == nil }
	}
	eventually(t, "publishing works", publishes("before"))
	if _, err := relay.Blackhole(t.Context()); err != nil {
		t.Fatal(err)
	}
	if publishes("dark")() {
		t.Fatal("the connection is not dark")
	}
	eventually(t, "publishing works again", publishes("after"))
}
