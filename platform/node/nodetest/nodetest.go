// Package nodetest runs an instance in a test as a node agent would.
package nodetest

import (
	"net"
	"sync"
	"testing"

	"breakbank/platform/node"
)

// Listen returns a listener on a free port of the loopback interface.
func Listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// Serve lets an instance serve until the test ends, and fails the test if it
// ends otherwise.
func Serve(t *testing.T, instance node.Instance) {
	t.Helper()
	var served sync.WaitGroup
	served.Go(func() {
		if err := instance.Serve(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		instance.Kill()
		served.Wait()
	})
}
