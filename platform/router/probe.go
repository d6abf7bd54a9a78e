package router

import (
	"sync/atomic"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"breakbank/platform/rpc"
	"breakbank/platform/wire"
)

const (
	// probeMethod is what an instance is asked, because every gRPC server that
	// can be looked after has it.
	probeMethod = "/grpc.health.v1.Health/Check"
	// probeTimeout is as old as an answer may become (Prequal drops those of
	// more than a second).
	probeTimeout = "1S"
	// maxProbes bounds those under way to one instance.
	maxProbes = 4
)

// probe is a question to an instance in the data plane frames.
type probe struct {
	pool   *pool
	answer probeAnswer
	done   atomic.Bool
}

// emptyMessage is a gRPC message without content: not compressed, no bytes.
var emptyMessage = make([]byte, 5)

func (p *pool) probe(answer probeAnswer) {
	if p.probes.Add(1) > maxProbes {
		p.probes.Add(-1)
		return
	}
	// A batch must not be flushed under the locks that are held here.
	p.plane.waiting.Go(func() { (&probe{pool: p, answer: answer}).ask() })
}

func (q *probe) ask() {
	p := q.pool
	fields := [...]hpack.HeaderField{
		{Name: ":method", Value: "POST"},
		{Name: ":scheme", Value: "http"},
		{Name: ":path", Value: probeMethod},
		{Name: ":authority", Value: p.addr},
		{Name: "content-type", Value: "application/grpc"},
		{Name: "te", Value: "trailers"},
		{Name: "grpc-timeout", Value: probeTimeout},
		{Name: rpc.LoadWantMetadata, Value: "1"},
	}
	var b wire.Batch
	s, err := p.open(&b, q, fields[:], false)
	if err != nil {
		q.end()
		p.connect() // an answer is of use once there is a connection
		return
	}
	s.SendData(&b, emptyMessage, true)
	b.Flush()
}

func (q *probe) end() {
	if !q.done.Swap(true) {
		q.pool.probes.Add(-1)
	}
}

func (q *probe) headersFromInstance(_ *wire.Batch, _ *wire.Stream, fields []hpack.HeaderField, end bool) {
	if !end {
		return
	}
	q.end()
	for _, f := range fields {
		if f.Name == rpc.LoadTrailer {
			if took, load, ok := readLoad(f.Value); ok {
				q.answer(q.pool.addr, took, load)
			}
		}
	}
}

func (q *probe) dataFromInstance(b *wire.Batch, s *wire.Stream, p []byte, end bool) {
	s.Consume(b, len(p))
	if end {
		q.end()
		s.Reset(b, http2.ErrCodeNo)
	}
}

func (q *probe) attemptBroke(*wire.Batch, *wire.Stream, wire.Ending) { q.end() }

func (q *probe) passedToInstance(*wire.Batch, *wire.Stream, int) {}
