package gateway

import (
	"context"
	"errors"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// codeNames are the canonical names of gRPC's codes, as extensions.code
// carries them. Source: google/rpc/code.proto.
var codeNames = [...]string{
	codes.OK:                 "OK",
	codes.Canceled:           "CANCELLED",
	codes.Unknown:            "UNKNOWN",
	codes.InvalidArgument:    "INVALID_ARGUMENT",
	codes.DeadlineExceeded:   "DEADLINE_EXCEEDED",
	codes.NotFound:           "NOT_FOUND",
	codes.AlreadyExists:      "ALREADY_EXISTS",
	codes.PermissionDenied:   "PERMISSION_DENIED",
	codes.ResourceExhausted:  "RESOURCE_EXHAUSTED",
	codes.FailedPrecondition: "FAILED_PRECONDITION",
	codes.Aborted:            "ABORTED",
	codes.OutOfRange:         "OUT_OF_RANGE",
	codes.Unimplemented:      "UNIMPLEMENTED",
	codes.Internal:           "INTERNAL",
	codes.Unavailable:        "UNAVAILABLE",
	codes.DataLoss:           "DATA_LOSS",
	codes.Unauthenticated:    "UNAUTHENTICATED",
}

func codeName(code codes.Code) string {
	if int(code) < len(codeNames) {
		return codeNames[code]
	}
	return codeNames[codes.Unknown]
}

// present turns a resolver's or the executor's error into the GraphQL error
// that the client sees: the message, the path, and the code it must act on.
func present(ctx context.Context, err error) *gqlerror.Error {
	shown := graphql.DefaultErrorPresenter(ctx, err)
	code, message := classify(err)
	shown.Extensions = map[string]any{"code": codeName(code)}
	if message != "" {
		shown.Message = message
	}
	return shown
}

// classify says what an error means and, if it comes from a service, in whose
// words. What cannot be classified is Unknown, never Unavailable: that one
// promises that nothing was executed.
func classify(err error) (codes.Code, string) {
	var fromService interface{ GRPCStatus() *status.Status }
	if errors.As(err, &fromService) {
		s := fromService.GRPCStatus()
		return s.Code(), s.Message()
	}
	if s := status.FromContextError(err); s.Code() != codes.Unknown {
		return s.Code(), ""
	}
	var own *gqlerror.Error
	if errors.As(err, &own) && own.Unwrap() == nil {
		// The executor's own: it objects to what was asked.
		return codes.InvalidArgument, ""
	}
	return codes.Unknown, ""
}
