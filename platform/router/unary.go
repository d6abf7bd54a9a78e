package router

import (
	"context"

	"google.golang.org/grpc"
)

// unary carries a request that is known to be one message each way: in the
// goroutine that grpc gave it, and with the message at hand for as many
// attempts as may be made.
func (q *request) unary() error {
	var ask message
	if err := q.in.RecvMsg(&ask); err != nil {
		return err
	}
	defer ask.free()
	return q.send(func(ctx context.Context, e *endpoint) (*reply, bool) {
		var (
			r      reply
			answer message
		)
		r.err = e.channel.(rawChannel).conn.Invoke(r.wire.Record(ctx), q.method, &ask, &answer, grpc.Header(&r.header), grpc.Trailer(&r.trailer))
		if r.err != nil {
			return &r, false
		}
		defer answer.free()
		if err := q.in.SetHeader(passable(r.header)); err != nil {
			r.err, r.callerGone = err, true
			return &r, true
		}
		r.err = q.in.SendMsg(&answer)
		r.callerGone = r.err != nil
		return &r, true
	})
}
