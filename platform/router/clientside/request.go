package clientside

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"breakbank/platform/router"
	"breakbank/platform/rpc"
)

// hashKeyMetadata carries the key by which strategies that hash choose.
const hashKeyMetadata = "bb-hash-key"

// attempt is one attempt at a call, as the picker finds it in the context.
type attempt struct {
	service *service
	tried   []string // addresses not to be tried again
	key     string
	wire    rpc.Wire
	at      atomic.Pointer[instance] // the instance picked last, nil if none was
	picks   atomic.Int64             // grpc-go may pick again for an attempt that never left
}

type attemptContext struct{}

func attemptOf(ctx context.Context) *attempt {
	a, _ := ctx.Value(attemptContext{}).(*attempt)
	return a
}

// request is one call on its way to an answer, over as many attempts as it
// takes and may have, by the rules of a router (platform/router).
type request struct {
	caller     *Caller
	ctx        context.Context
	name       string
	repeatable bool
	key        string

	table    *table
	service  *service
	tried    []string
	at       *instance // of the last attempt, nil if none was picked
	attempts int64
	retried  int
	sentOnce bool // some attempt may have been executed
	patience time.Time
}

func newRequest(ctx context.Context, c calls) *request {
	md, _ := metadata.FromOutgoingContext(ctx)
	q := &request{caller: c.caller, ctx: ctx, name: c.service}
	q.repeatable = len(md.Get(rpc.KeyMetadata)) > 0 || len(md.Get(rpc.ReadMetadata)) > 0
	if keys := md.Get(hashKeyMetadata); len(keys) > 0 {
		q.key = keys[0]
	}
	return q
}

// resolve finds the service. While there is no table at all it waits for the
// binding timeout; with a table, for a better one.
func (q *request) resolve() error {
	began := time.Now()
	for {
		changed := q.caller.changes()
		wait, why := downWait, "the client-side data plane is down"
		if t := q.caller.currentTable(); t != nil {
			config := t.incarnation.config
			known, pending := t.lookup(q.name)
			switch {
			case pending:
				wait, why = config.BindingTimeout, "no table yet, the name is pending"
			case known:
				q.table, q.service = t, t.service(q.name)
				q.patience = began.Add(*config.BetterTableWait)
				q.service.request(began)
				return nil
			default:
				t.missed(q.name)
				wait, why = *config.BetterTableWait, "no such name in the table"
			}
		}
		if err := q.wait(changed, began.Add(wait), why); err != nil {
			return err
		}
	}
}

// wait waits for something better, and returns what to tell the caller when
// there is nothing by the deadline.
func (q *request) wait(changed <-chan struct{}, deadline time.Time, why string) error {
	better, err := q.caller.await(q.ctx, changed, deadline)
	switch {
	case err != nil:
		return q.unavailable(fmt.Sprintf("%s: %v", why, err))
	case !better:
		return q.unavailable(why)
	}
	return nil
}

// send makes attempts until one is answered, or the last that may be made, and
// returns what the caller is told. try makes one; its trailer is that of the
// attempt.
func (q *request) send(try func(context.Context) (metadata.MD, error)) error {
	if err := q.resolve(); err != nil {
		return err
	}
	for {
		changed := q.caller.changes()
		a := &attempt{service: q.service, tried: q.tried, key: q.key}
		trailer, err := try(a.wire.Record(context.WithValue(q.ctx, attemptContext{}, a)))
		q.attempts += a.picks.Load()
		in := a.at.Load()
		q.at = in
		if err == nil {
			return nil
		}
		if in == nil && q.table != q.caller.currentTable() {
			// The library was restarted under it.
			if err := q.resolve(); err != nil {
				return err
			}
			continue
		}
		if in == nil {
			why := fmt.Sprintf("no live instance, %d tried: %v", len(q.tried), status.Convert(err).Message())
			if err := q.wait(changed, q.patience, why); err != nil {
				return err
			}
			continue
		}
		f := fateOf(a, err, trailer)
		if q.sentOnce && f == answered && status.Code(err) == codes.Unavailable {
			// Not executed this time; an attempt before it may have been.
			f = lost
		}
		if !q.mayGoOn(f, in) {
			return q.verdict(f, in, err)
		}
	}
}

// mayGoOn decides about another attempt. One that no server executed is free:
// it is bounded by the number of instances, for none is tried twice. One that
// was lost needs the caller's word that it may be repeated, and budget.
func (q *request) mayGoOn(f fate, in *instance) bool {
	inTime := q.ctx.Err() == nil
	switch f {
	case neverSent, misdelivered:
		q.tried = append(q.tried, in.addr)
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

// verdict is what the caller is told of the last attempt.
func (q *request) verdict(f fate, in *instance, err error) error {
	switch {
	case f == neverSent:
		return q.unavailable(err.Error())
	case f == lost, q.sentOnce && (f == misdelivered || f == unsendable):
		return status.Errorf(codes.Aborted, "%s at %s: outcome unknown: %v", q.name, in.addr, err)
	default:
		return err
	}
}

// unavailable is the error of a call that was certainly not executed, even
// when it was the caller's time that ran out; or, if an attempt before may have
// been executed, an error that says so.
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

// trailers are the server's with what a router would add behind them; who reads
// them merges the two (rpc.ParseProvenance).
func (q *request) trailers(server metadata.MD) metadata.MD {
	own := rpc.Provenance{Attempts: q.attempts}
	if q.table != nil {
		own.Route, own.Age = router.RouteOf(q.table.state(), time.Now())
	}
	all := metadata.Join(server, own.Metadata())
	if q.at != nil && q.at.name != "" && len(all.Get(rpc.InstanceTrailer)) == 0 {
		all.Set(rpc.InstanceTrailer, q.at.name)
	}
	return all
}
