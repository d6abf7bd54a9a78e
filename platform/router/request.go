package router

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"breakbank/platform/router/discovery"
	"breakbank/platform/rpc"
)

// request is one request on its way to an answer, over as many attempts as
// it takes and may have.
type request struct {
	router *Router
	in     grpc.ServerStream
	ctx    context.Context // the caller's
	method string
	name   string
	md     metadata.MD // to send on; bb-instance-want changes per attempt

	// repeatable: the caller said that it may be executed twice.
	repeatable bool

	service  *service
	tried    []*endpoint // not to be tried again: they did not take it
	attempts int
	retried  int  // attempts that the budget paid for
	sentOnce bool // some attempt may have been executed
	patience time.Time
}

// attempt sends a request to one endpoint. final is true once anything has
// been passed to the caller, so that there can be no other attempt.
type attempt func(ctx context.Context, e *endpoint) (r *reply, final bool)

// handle serves every request; no method is registered.
func (r *Router) handle(_ any, in grpc.ServerStream) error {
	r.requests.Add(1)
	q := &request{router: r, in: in, ctx: in.Context()}
	q.method, _ = grpc.MethodFromServerStream(in)
	q.md, _ = metadata.FromIncomingContext(q.ctx)
	if authority := q.md.Get(":authority"); len(authority) > 0 {
		q.name = authority[0]
	}
	// grpc announces its own; forwarding the caller's would make two.
	delete(q.md, "grpc-accept-encoding")
	q.repeatable = len(q.md.Get(rpc.KeyMetadata)) > 0 || len(q.md.Get(rpc.ReadMetadata)) > 0

	if err := q.resolve(); err != nil {
		return q.fail(err)
	}
	q.service.request(time.Now())
	if r.methods.isUnary(q.method) {
		return q.unary()
	}
	return q.stream()
}

// resolve finds the service. While there is no table at all it waits for the
// binding timeout; with a table, for a better one.
func (q *request) resolve() error {
	t := q.router.table
	began := time.Now()
	for {
		changed := t.changes()
		q.service = t.lookup(q.name)
		pending := t.state.Load().Basis == discovery.Pending
		if q.service != nil && !pending {
			q.patience = began.Add(*q.router.config.BetterTableWait)
			return nil
		}
		wait, why := *q.router.config.BetterTableWait, "no such name in the table"
		if pending {
			wait, why = q.router.config.BindingTimeout, "no table yet, the name is pending"
		}
		better, err := t.await(q.ctx, changed, began.Add(wait))
		if err != nil {
			return q.unavailable(fmt.Sprintf("%s: %v", why, err))
		}
		if !better {
			return q.unavailable(fmt.Sprintf("%s after %v", why, wait))
		}
	}
}

// send makes attempts until one is final, answered, or the last that may be
// made. What it returns goes to the caller as it is.
func (q *request) send(try attempt) error {
	for {
		e, err := q.next()
		if err != nil {
			return q.fail(err)
		}
		r, f, final := q.attempt(e, try)
		if r.err == nil {
			q.in.SetTrailer(q.provenance(e, r.trailer))
			return nil
		}
		if q.sentOnce && f == answered && status.Code(r.err) == codes.Unavailable {
			// Not executed this time; an attempt before it may have been.
			f = lost
		}
		if !final && q.mayGoOn(f) {
			if f != lost {
				q.tried = append(q.tried, e)
			}
			continue
		}
		if f == answered && !final {
			// It fails only once headers have been sent.
			_ = q.in.SetHeader(passable(r.header))
		}
		q.in.SetTrailer(q.provenance(e, r.trailer))
		return q.verdict(f, e, r.err)
	}
}

// verdict is what the caller is told of the last attempt.
func (q *request) verdict(f fate, e *endpoint, err error) error {
	switch {
	case f == neverSent:
		return q.unavailable(err.Error())
	case f == lost, q.sentOnce && !f.executed():
		return status.Errorf(codes.Aborted, "%s at %s: outcome unknown: %v", q.name, e.Addr, err)
	default:
		return err
	}
}

// attempt makes one attempt and tells the balancer and discovery of it.
func (q *request) attempt(e *endpoint, try attempt) (*reply, fate, bool) {
	q.attempts++
	q.router.attempts.Add(1)
	// Metadata in flight belongs to grpc: an attempt after the first has a
	// copy of its own.
	md := q.md
	if q.attempts > 1 {
		md = md.Copy()
	}
	if e.Instance != "" {
		md.Set(rpc.InstanceWantMetadata, e.Instance)
	} else {
		delete(md, rpc.InstanceWantMetadata)
	}
	began := time.Now()
	r, final := try(metadata.NewOutgoingContext(q.ctx, md), e)
	f := r.fate(q.ctx)
	if evidence, ok := q.service.done(e, began, time.Now(), f, r.failed(f)); ok {
		q.router.discovery.Testify(evidence)
	}
	return r, f, final
}

// mayGoOn decides about another attempt. One that no server executed is free:
// it is bounded by the number of endpoints, for none is tried twice. One that
// was lost needs the caller's word that it may be repeated, and budget.
func (q *request) mayGoOn(f fate) bool {
	inTime := q.ctx.Err() == nil
	switch f {
	case neverSent, misdelivered:
		return inTime
	case lost:
		q.sentOnce = true
		if inTime && q.repeatable && q.service.mayRetry(time.Now(), q.retried) {
			q.retried++
			return true
		}
	case answered, abandoned, unsendable:
	}
	return false
}

// next picks an endpoint that has not been tried. When there is none it waits
// for a better table, within the request's patience.
func (q *request) next() (*endpoint, error) {
	t := q.router.table
	for {
		changed := t.changes()
		if s := t.lookup(q.name); s != nil {
			q.service = s
		}
		if e := q.service.pick(time.Now(), q.method, q.tried); e != nil {
			return e, nil
		}
		why := fmt.Sprintf("no live endpoint, %d tried", len(q.tried))
		better, err := t.await(q.ctx, changed, q.patience)
		if err != nil {
			return nil, q.unavailable(fmt.Sprintf("%s: %v", why, err))
		}
		if !better {
			return nil, q.unavailable(why)
		}
	}
}

// unavailable is the error of a request that was certainly not executed, even
// when it was the caller's time that ran out, because that nothing happened is
// what a caller must know; or, if an attempt before may have been executed, an
// error that says so.
func (q *request) unavailable(why string) error {
	switch {
	case errors.Is(q.ctx.Err(), context.Canceled):
		return status.Error(codes.Canceled, "cancelled by the caller")
	case q.sentOnce:
		return status.Errorf(codes.Aborted, "%s: outcome unknown: %s", q.name, why)
	default:
		return status.Errorf(codes.Unavailable, "%s: not sent: %s", q.name, why)
	}
}

// fail reports a request for which no server has answered.
func (q *request) fail(err error) error {
	q.in.SetTrailer(q.provenance(nil, nil))
	return err
}

// passable takes out of a server's headers or trailers what grpc makes itself.
func passable(md metadata.MD) metadata.MD {
	for name := range md {
		if name == "content-type" || strings.HasPrefix(name, "grpc-") && !slices.Contains(passedGRPCHeaders, name) {
			delete(md, name)
		}
	}
	return md
}

// passedGRPCHeaders are names in gRPC's own space that belong to the
// application.
var passedGRPCHeaders = []string{"grpc-trace-bin", "grpc-tags-bin"}
