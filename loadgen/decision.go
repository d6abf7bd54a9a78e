package loadgen

import (
	"strings"

	"google.golang.org/grpc/codes"

	"breakbank/loadgen/transport"
)

// Unanswered is the decision on a call that got no complete answer. A read has
// failed. A write has failed where it certainly was not executed, and is unknown
// where it may have been.
func Unanswered(write bool, c *transport.Call) Decision {
	code := CodeName(c.Code)
	if c.Fate == transport.Lost && c.Code == codes.Unavailable {
		code = CodeLost
	}
	d := Decision{Outcome: Failed, Code: code, Err: cut(c.Message), Own: c.Fate != transport.Answered}
	if write && c.Fate == transport.Lost {
		d.Outcome = Unknown
	}
	return d
}

// Refused is the decision on a call that a server answered with an error of
// this code: a write is unknown unless the code promises that it was not
// executed.
func Refused(write bool, code, text string) Decision {
	d := Decision{Outcome: Failed, Code: code, Err: cut(text)}
	if write && !certainlyNotRun(code) {
		d.Outcome = Unknown
	}
	return d
}

// Garbled is the decision on an answer that makes no sense: it was executed, or
// not.
func Garbled(write bool, code, text string) Decision {
	d := Decision{Outcome: Failed, Code: code, Err: cut(text)}
	if write {
		d.Outcome = Unknown
	}
	return d
}

// certainlyNotRun says that a server which answered with this code has not
// executed the request: it reached nobody who could, or was refused for what it
// asked. Every other code, and whatever is none, promises nothing.
func certainlyNotRun(code string) bool {
	switch code {
	case codeNames[codes.Unavailable],
		codeNames[codes.InvalidArgument],
		codeNames[codes.NotFound],
		codeNames[codes.AlreadyExists],
		codeNames[codes.PermissionDenied],
		codeNames[codes.ResourceExhausted],
		codeNames[codes.FailedPrecondition],
		codeNames[codes.OutOfRange],
		codeNames[codes.Unimplemented],
		codeNames[codes.Unauthenticated]:
		return true
	}
	return false
}

// codeNames are the canonical names of gRPC's codes, as GraphQL errors carry
// them too. Source: google/rpc/code.proto.
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

// CodeName is the name of a gRPC code; one that gRPC does not define counts as
// UNKNOWN, as its specification asks.
func CodeName(c codes.Code) string {
	if int(c) >= len(codeNames) {
		return codeNames[codes.Unknown]
	}
	return codeNames[c]
}

// cut copies at most errMaxBytes of an error's text, so that a record never
// holds on to a whole reply.
func cut(text string) string {
	if len(text) > errMaxBytes {
		text = text[:errMaxBytes]
	}
	return strings.ToValidUTF8(strings.Clone(text), "?")
}
