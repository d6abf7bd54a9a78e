package transport

import (
	"encoding/binary"
	"sync"
	"time"

	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/codes"

	"breakbank/platform/wire"
)

// Batch collects what is begun together, so that each connection is written to
// once. It belongs to one goroutine; whoever made it flushes it. A Batch that
// comes with Owner.Done is flushed by whoever called.
type Batch = wire.Batch

// Kind is what a call speaks.
type Kind uint8

const (
	// GRPC: length-prefixed messages each way, and a status in the trailers.
	GRPC Kind = iota
	// HTTP: POST, one body each way, and an HTTP status.
	HTTP
)

// Head is what calls of one sort have in common. It is not changed once a call
// was begun with it, and may be shared.
type Head struct {
	Kind Kind
	// Path is "/package.Service/Method", or the path that is posted to.
	Path string
	// Authority is whom the call is for; empty stands for the address.
	Authority string
	// ContentType is that of an HTTP body.
	ContentType string
	// Metadata are more headers; their names are in lower case.
	Metadata []hpack.HeaderField

	once   sync.Once
	fields [2][]hpack.HeaderField // in clear, with TLS
}

// Fate is how far a call got.
type Fate uint8

const (
	// Unsent: no server can have read it.
	Unsent Fate = iota
	// Answered: a server answered it, if only with an error.
	Answered
	// Lost: it left, and no complete answer came.
	Lost
)

// Owner is told of a call's end.
type Owner interface {
	// Done is called once for each Begin, from whatever goroutine, possibly
	// before Begin returns. It must not wait. It may begin the next call, or the
	// same one again if that is Reusable.
	Done(b *Batch, c *Call)
}

// Call is one call: what to send, and what became of it. It may be used again
// after its end, which spares memory, where Reusable says so.
type Call struct {
	// Set by the owner before Begin, and left alone until Done.

	Head *Head
	// Target is an index into the configuration's targets. Shard picks one of
	// the target's addresses and Turn one of that address's connections, both
	// modulo how many there are.
	Target, Shard, Turn int
	// Extra are headers of this call only.
	Extra []hpack.HeaderField
	// Request is what is sent: for GRPC one or more messages made with
	// AppendMessage, for HTTP the body. It may be shared between calls.
	Request []byte
	// Deadline is when the call is given up. A GRPC server is told.
	Deadline time.Time
	// ReplyMax bounds what is kept of the answer, in bytes; 0 keeps nothing. A
	// longer answer is Lost. For GRPC the message prefixes count too.
	ReplyMax int
	Owner    Owner

	// Set by the transport, to be read from Done on.

	// SentAt is when it was given to a connection; zero for one that is Unsent.
	SentAt time.Time
	Fate   Fate
	// Code is the gRPC status; for HTTP, OK for any answer that is complete.
	// A call without an answer has the code that gRPC's clients would give.
	Code codes.Code
	// Message is the status's text, or says why there was no answer.
	Message string
	// Status is the HTTP status, 0 without an answer.
	Status int
	// Reply is what was kept of the answer; valid until the call is used again.
	Reply []byte
	// ReplyBytes is how long the answer was, Messages how many it had (GRPC).
	ReplyBytes int64
	Messages   int64
	// Fields are the answer's headers and trailers in the order of arrival;
	// the slice is valid until the call is used again, its strings for good.
	Fields []hpack.HeaderField

	mu      sync.Mutex
	use     uint64 // counts Begin
	over    bool
	spent   bool // given up: a connection may still look at it
	partial bool // some of the request waits for the peer to take it, or did
	stream  *wire.Stream
	at      *address
	prefix  prefixReader
	timeout timeoutText
	buffer  []byte
}

// Reusable says, from Done on, whether the call may be begun again. One that
// was given up while a connection had it is not.
func (c *Call) Reusable() bool { return !c.spent }

// Field is the last value of a header or trailer of the answer, "" without.
func (c *Call) Field(name string) string {
	for i := len(c.Fields) - 1; i >= 0; i-- {
		if c.Fields[i].Name == name {
			return c.Fields[i].Value
		}
	}
	return ""
}

// Buffer is space of the call's own, empty, to build a Request in; what was
// built there before is overwritten.
func (c *Call) Buffer() []byte { return c.buffer[:0] }

// SetRequest makes b the Request and keeps its space for the next use.
func (c *Call) SetRequest(b []byte) { c.Request, c.buffer = b, b }

// PrefixBytes is what gRPC puts before a message: whether it is compressed, and
// its length (gRPC over HTTP2, "Length-Prefixed-Message").
const PrefixBytes = 5

// AppendMessage appends a gRPC message to a request. write appends the message
// to the slice it is given.
func AppendMessage(request []byte, write func([]byte) ([]byte, error)) ([]byte, error) {
	start := len(request)
	request, err := write(append(request, 0, 0, 0, 0, 0))
	if err != nil {
		return request, err
	}
	binary.BigEndian.PutUint32(request[start+1:], uint32(len(request)-start-PrefixBytes))
	return request, nil
}

// ReplyMessage is the first message of a GRPC reply, without its prefix; ok
// says that a whole one was kept.
func (c *Call) ReplyMessage() (message []byte, ok bool) {
	if len(c.Reply) < PrefixBytes {
		return nil, false
	}
	n := int64(binary.BigEndian.Uint32(c.Reply[1:]))
	if int64(len(c.Reply))-PrefixBytes < n {
		return nil, false
	}
	return c.Reply[PrefixBytes : PrefixBytes+n], true
}
