// Package driver loads one peer with unary gRPC calls and says how long they
// took. It is made to cost little beside what it measures, on the same cores: a
// goroutine a connection that reads many frames at once and writes many at once
// (platform/wire), and nothing else a request.
package driver

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"

	"golang.org/x/net/http2/hpack"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/protobuf/proto"

	"breakbank/loadgen"
)

const (
	// inFlightMax bounds the calls under way at once: at 4,000/s a peer that
	// holds more is more than a quarter of a second behind.
	inFlightMax = 1024
	// failuresMax is how many calls may fail before there is no point in going
	// on.
	failuresMax = 1000
	// callsMax bounds the calls of one run, some 30 times what two cores do in
	// the longest window.
	callsMax = 100_000_000
	// windowsMax is how many times its length a window may stay open until
	// anything at all is answered, on a machine with much else to do.
	windowsMax = 20
	// patience is how long the calls under way at the end are waited for.
	patience = 2 * time.Second
	// dialLimit bounds the making of one connection.
	dialLimit = 5 * time.Second
)

// Load is what to do to a peer.
type Load struct {
	// Addresses are where the connections go to, in turn.
	Addresses         []string
	Authority, Method string
	Message           Message
	Connections       int
	// Streams is how many calls are always under way, on all connections
	// together. It counts only without Arrivals.
	Streams int
	// Arrivals are when calls begin, since the start, in order; connections take
	// turns.
	Arrivals []time.Duration
	// Settle is loaded but not measured, Window is measured. Opened and Closed
	// are called at the edges of the window, which stays open until something has
	// been answered in it.
	Settle, Window time.Duration
	Opened, Closed func()
}

// Message is a request as it goes into DATA frames, and the size of what must
// come back.
type Message struct {
	request     []byte
	answerBytes int
}

// prefixBytes is what gRPC puts before a message: whether it is compressed, and
// its length.
const prefixBytes = 5

// UnaryCall is the message of grpc.testing.TestService/UnaryCall with payloads
// of so many bytes.
func UnaryCall(requestBytes, answerBytes int) (Message, error) {
	request, err := proto.Marshal(&testpb.SimpleRequest{
		ResponseSize: int32(answerBytes), Payload: &testpb.Payload{Body: make([]byte, requestBytes)},
	})
	if err != nil {
		return Message{}, fmt.Errorf("write a request: %w", err)
	}
	framed := make([]byte, prefixBytes, prefixBytes+len(request))
	binary.BigEndian.PutUint32(framed[1:], uint32(len(request)))
	answer := &testpb.SimpleResponse{Payload: &testpb.Payload{Body: make([]byte, answerBytes)}}
	return Message{request: append(framed, request...), answerBytes: prefixBytes + proto.Size(answer)}, nil
}

// headers of every call: what grpc-go sends for one without metadata.
func (l Load) headers() []hpack.HeaderField {
	return []hpack.HeaderField{
		{Name: ":method", Value: "POST"},
		{Name: ":scheme", Value: "http"},
		{Name: ":path", Value: l.Method},
		{Name: ":authority", Value: l.Authority},
		{Name: "content-type", Value: "application/grpc"},
		{Name: "user-agent", Value: "breakbank-peers"},
		{Name: "te", Value: "trailers"},
	}
}

// Poisson draws when calls begin at a rate, for so long.
func Poisson(perS float64, over time.Duration, rng *rand.Rand) []time.Duration {
	pacer := loadgen.Poisson{PerS: perS}
	arrivals := make([]time.Duration, 0, int(perS*over.Seconds()*1.1)+1)
	for at := pacer.Next(0, rng.ExpFloat64); at < over; at = pacer.Next(at, rng.ExpFloat64) {
		arrivals = append(arrivals, at)
	}
	return arrivals
}
