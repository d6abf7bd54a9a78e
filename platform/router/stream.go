package router

import (
	"context"
	"errors"
	"io"

	"google.golang.org/grpc"
)

// duplex is how a method is opened that may stream either way.
var duplex = grpc.StreamDesc{ClientStreams: true, ServerStreams: true}

// stream carries a request full duplex: this goroutine takes what the server
// sends, another what the caller sends (upload.go).
func (q *request) stream() error {
	up := newUpload(q.in, q.repeatable)
	q.plane.uploads.Go(up.run)
	defer up.close()
	return q.send(func(ctx context.Context, e *endpoint) (*reply, bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		var r reply
		out, err := e.channel.(rawChannel).conn.NewStream(r.wire.Record(ctx), &duplex, q.method)
		if err != nil {
			r.err = err
			return &r, false
		}
		up.attach(out)
		final := q.download(out, &r, up.settle)
		cancel() // frees an upload that waits for the server to read
		// Messages that went to a stream which came to nothing and cannot be
		// sent again rule out another attempt.
		return &r, final || !up.detach(r.wire.Sent())
	})
}

// download passes headers, messages and the end of a stream to the caller. It
// reports whether the caller has seen any of it, and calls settle when it
// first has.
func (q *request) download(out grpc.ClientStream, r *reply, settle func()) (final bool) {
	// Its error is that of RecvMsg below.
	r.header, _ = out.Header()
	if len(r.header) > 0 {
		final = true
		settle()
		if err := q.in.SendHeader(passable(r.header.Copy())); err != nil {
			r.err, r.callerGone = err, true
			return final
		}
	}
	for {
		var m message
		err := out.RecvMsg(&m)
		if err != nil {
			r.trailer = out.Trailer()
			if !errors.Is(err, io.EOF) {
				r.err = err
			}
			return final
		}
		err = q.in.SendMsg(&m)
		m.free()
		if err != nil {
			r.err, r.callerGone = err, true
			return true
		}
	}
}
