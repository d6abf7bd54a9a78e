package bank

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"breakbank/platform/book"
)

// Kind is what an error means to whoever must act on it.
type Kind int

// The kinds of error. Those marked * say that the request was certainly not
// executed; after the others it may have been.
const (
	// OutcomeUnknown: the request may or may not have been executed.
	OutcomeUnknown Kind = iota
	// TimedOut: nobody answered in time; it may have been executed.
	TimedOut
	// Cancelled: the caller gave up; it may have been executed.
	Cancelled
	// Internal: a part broke in the middle of the work.
	Internal
	// Unavailable*: nobody was reached.
	Unavailable
	// Overloaded*: refused because a bound was reached.
	Overloaded
	// Invalid*: the request makes no sense as it stands.
	Invalid
	// NotFound*: what the request is about does not exist.
	NotFound
	// Conflict*: the key was used before for something else.
	Conflict
	// Forbidden*: not in the state that things are in, however often retried.
	Forbidden
)

// kinds maps each kind to its gRPC code and back; the only place that does.
var kinds = []struct {
	kind        Kind
	code        codes.Code
	notExecuted bool
	name        string
}{
	{OutcomeUnknown, codes.Aborted, false, "outcome unknown"},
	{TimedOut, codes.DeadlineExceeded, false, "timed out"},
	{Cancelled, codes.Canceled, false, "cancelled"},
	{Internal, codes.Internal, false, "internal error"},
	{Unavailable, codes.Unavailable, true, "unavailable"},
	{Overloaded, codes.ResourceExhausted, true, "overloaded"},
	{Invalid, codes.InvalidArgument, true, "invalid"},
	{NotFound, codes.NotFound, true, "not found"},
	{Conflict, codes.AlreadyExists, true, "conflict"},
	{Forbidden, codes.FailedPrecondition, true, "forbidden"},
}

// bookKinds says what the book's own errors mean.
var bookKinds = []struct {
	err  error
	kind Kind
}{
	{book.ErrKeyReused, Conflict},
	{book.ErrInvalid, Invalid},
	{book.ErrClosed, Unavailable},
	{book.ErrNoSuchAccount, NotFound},
}

func (k Kind) String() string {
	for _, row := range kinds {
		if row.kind == k {
			return row.name
		}
	}
	return fmt.Sprintf("Kind(%d)", int(k))
}

// Error is an error with its kind. A gRPC handler returns it as it is: gRPC
// asks it for its status.
type Error struct {
	Kind Kind
	err  error
}

// Errorf makes an error of a kind; %w wraps as in fmt.Errorf.
func Errorf(kind Kind, format string, args ...any) error {
	return &Error{Kind: kind, err: fmt.Errorf(format, args...)}
}

// Wrap says what was being done when err came, and keeps err's kind. It is nil
// when err is.
func Wrap(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return &Error{Kind: KindOf(err), err: fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), err)}
}

// Error says what happened.
func (e *Error) Error() string { return e.err.Error() }

// Unwrap gives the error beneath.
func (e *Error) Unwrap() error { return e.err }

// GRPCStatus is the status that goes over the wire.
func (e *Error) GRPCStatus() *status.Status {
	for _, row := range kinds {
		if row.kind == e.Kind {
			return status.New(row.code, e.Error())
		}
	}
	return status.New(codes.Unknown, e.Error())
}

// KindOf is the kind of any error: ours, the book's, a gRPC status from
// another service, or a context's end. What nobody classified is OutcomeUnknown, the careful
// answer.
func KindOf(err error) Kind {
	var own *Error
	if errors.As(err, &own) {
		return own.Kind
	}
	for _, row := range bookKinds {
		if errors.Is(err, row.err) {
			return row.kind
		}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return TimedOut
	}
	if errors.Is(err, context.Canceled) {
		return Cancelled
	}
	if s, ok := status.FromError(err); ok {
		for _, row := range kinds {
			if row.code == s.Code() {
				return row.kind
			}
		}
	}
	return OutcomeUnknown
}

// MayHaveHappened says that a request which ended in err may nevertheless have
// been executed. False for a nil error: then it has.
func MayHaveHappened(err error) bool {
	if err == nil {
		return false
	}
	kind := KindOf(err)
	for _, row := range kinds {
		if row.kind == kind {
			return !row.notExecuted
		}
	}
	return true
}
