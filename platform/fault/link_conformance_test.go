package fault_test

import (
	"net"
	"testing"

	"breakbank/platform/fault"
	"breakbank/platform/fault/linktest"
)

func TestRelayIsALink(t *testing.T) {
	fault.VerifyNoLeak(t)
	linktest.Run(t, func(t *testing.T, target func() string) linktest.Subject {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		relay := fault.NewRelay(l, target, "a/b/c")
		t.Cleanup(func() {
			if err := relay.Close(); err != nil {
				t.Error(err)
			}
		})
		return linktest.Subject{Link: relay, Address: relay.Addr()}
	})
}
