// Package driver loads one peer with unary gRPC calls and says how long they
// took. What sends them is loadgen on its transport of frames; here is what a
// comparison of peers wants beside: a window in the middle that the caller takes
// readings at the edges of, and calls that are waited for no longer than a
// patience at the end. It costs little beside what it measures, on the same
// cores: nothing that it does for a call is shared between connections.
package driver

import (
	"fmt"
	"time"

	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/protobuf/proto"

	"breakbank/loadgen"
	"breakbank/loadgen/pacer"
	"breakbank/loadgen/transport"
)

const (
	// inFlightMax bounds the calls of an open loop under way at once: at 4,000/s
	// a peer that holds more is more than a quarter of a second behind.
	inFlightMax = 1024
	// failuresMax is how many calls may fail before there is no point in going
	// on.
	failuresMax = 1000
	// windowsMax is how many times its length a window may stay open until
	// anything at all is answered, on a machine with much else to do.
	windowsMax = 20
	// patience is how long the calls under way at the end are waited for.
	patience = 2 * time.Second
	// connectLimit bounds the making of all connections.
	connectLimit = 5 * time.Second
)

// Load is what to do to a peer.
type Load struct {
	// Addresses are where the connections go to, in turn.
	Addresses         []string
	Authority, Method string
	Message           Message
	Connections       int
	// Streams is how many calls are always under way, divided among the
	// connections. It counts only without RatePerS.
	Streams int
	// RatePerS, if not 0, makes it an open loop: Poisson arrivals drawn from
	// Seed, for which connections take turns.
	RatePerS float64
	Seed     uint64
	// Settle is loaded but not measured, Window is measured. Opened and Closed
	// are called at the edges of the window, which stays open until something has
	// been answered in it.
	Settle, Window time.Duration
	Opened, Closed func()
}

// check says what is wrong with a load.
func (l *Load) check() error {
	if l.Connections < 1 || len(l.Addresses) == 0 || !l.open() && l.Streams < l.Connections {
		return fmt.Errorf("load %s: %d connections to %d addresses, %d streams: too few",
			l.Method, l.Connections, len(l.Addresses), l.Streams)
	}
	return nil
}

// open says that it is an open loop.
func (l *Load) open() bool { return l.RatePerS != 0 }

// schedule draws when calls of an open loop begin.
func (l *Load) schedule(call loadgen.JourneySpec) (*loadgen.Schedule, error) {
	return loadgen.Draw(loadgen.Plan{
		Seed: l.Seed, Pacer: pacer.Poisson{PerS: l.RatePerS}, Duration: l.Settle + l.Window,
		Journeys: []loadgen.JourneySpec{call},
	})
}

// Message is a request as it is sent, and the size of what must come back.
type Message struct {
	request     []byte
	answerBytes int64
}

// UnaryCall is the message of grpc.testing.TestService/UnaryCall with payloads
// of so many bytes.
func UnaryCall(requestBytes, answerBytes int) (Message, error) {
	request, err := transport.AppendMessage(nil, func(b []byte) ([]byte, error) {
		return proto.MarshalOptions{}.MarshalAppend(b, &testpb.SimpleRequest{
			ResponseSize: int32(answerBytes), Payload: &testpb.Payload{Body: make([]byte, requestBytes)},
		})
	})
	if err != nil {
		return Message{}, fmt.Errorf("write a request: %w", err)
	}
	answer := &testpb.SimpleResponse{Payload: &testpb.Payload{Body: make([]byte, answerBytes)}}
	return Message{request: request, answerBytes: int64(transport.PrefixBytes + proto.Size(answer))}, nil
}
