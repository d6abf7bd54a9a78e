package loadgen

import (
	"strings"

	"google.golang.org/grpc/codes"

	bankv1 "breakbank/proto/bank/v1"
)

// standin is what decided_by says when the fallback answered.
const standin = "standin"

// classifyCard classifies the answer of the card network's edge. Whatever
// stand-in decides is degraded, a no of it too: the customer got an answer from
// a fallback, and the response code still tells the two apart.
func classifyCard(responseCode, decidedBy string) Decision {
	d := Decision{Code: responseCode, Standin: decidedBy == standin}
	switch responseCode {
	case "00":
		d.Outcome = OK
	case "05", "14", "51", "54", "61":
		d.Outcome = Declined
	default: // 91 issuer inoperative, 96 system error, and what no issuer may say.
		d.Outcome = Failed
		return d
	}
	if d.Standin {
		d.Outcome = Degraded
	}
	return d
}

// classifyReceive classifies the answer of the Faster Payments edge.
func classifyReceive(refusal bankv1.Refusal, queued bool) Decision {
	switch {
	case refusal != bankv1.Refusal_REFUSAL_UNSPECIFIED:
		return Decision{Outcome: Declined, Code: strings.TrimPrefix(refusal.String(), "REFUSAL_")}
	case queued:
		return Decision{Outcome: Degraded, Code: codeNames[codes.OK], Queued: true}
	default:
		return Decision{Outcome: OK, Code: codeNames[codes.OK]}
	}
}

// fate is how far a request got that ended in an error.
type fate uint8

const (
	// unsent: no server can have read it.
	unsent fate = iota
	// refused: a server answered it, with an error.
	refused
	// lost: it left, and no answer came.
	lost
)

// classifyError classifies a request that ended in an error. A read has failed.
// A write has failed where it certainly was not executed, and is unknown where
// it may have been.
func classifyError(write bool, f fate, code, text string) Decision {
	d := Decision{Outcome: Failed, Code: code, Err: cut(text)}
	if write && (f == lost || f == refused && !certainlyNotRun(code)) {
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

// codeName is the name of a gRPC code; one that gRPC does not define counts as
// UNKNOWN, as its specification asks.
func codeName(c codes.Code) string {
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
