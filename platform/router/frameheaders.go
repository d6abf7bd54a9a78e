package router

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"breakbank/platform/router/overload"
	"breakbank/platform/rpc"
)

const (
	// hashKeyMetadata is what a caller sets for strategies that send like to
	// like.
	hashKeyMetadata = "bb-hash-key"

	// Room for the fields of usual requests and answers, so that rewriting them
	// needs no memory of its own.
	requestFields = 24
	trailerFields = 24
)

// readHeaders takes out of a request's headers what the router needs of them.
func (x *exchange) readHeaders() error {
	var method, contentType string
	for _, f := range x.fields {
		switch f.Name {
		case ":method":
			method = f.Value
		case ":path":
			x.ask.Method = f.Value
		case ":authority":
			x.name = f.Value
		case "content-type":
			contentType = f.Value
		case "grpc-timeout":
			timeout, err := parseTimeout(f.Value)
			if err != nil {
				return status.Error(codes.Internal, err.Error())
			}
			x.timeout = timeout
		case rpc.KeyMetadata, rpc.ReadMetadata:
			x.repeatable = true
		case hashKeyMetadata:
			x.ask.Key = f.Value
		case overload.Metadata:
			x.level = overload.ParseCriticality(f.Value)
		case rpc.RequestIDMetadata:
			x.requestID = f.Value
		case "user-agent":
			x.caller = f.Value
		}
	}
	x.ask.Zone = x.router.options.Zone
	x.anonymous = x.name == ""
	if method != "POST" || !strings.HasPrefix(contentType, "application/grpc") {
		return status.Errorf(codes.Internal, "this is a gRPC router: a %s of content type %q is no gRPC request", method, contentType)
	}
	return nil
}

// requestHeaders are the request's, as an endpoint gets them: the name by
// which it knows that it was meant, and the time that is left. inTime is false
// when there is none left.
func (x *exchange) requestHeaders(to []hpack.HeaderField, e *endpoint, now time.Time) (fields []hpack.HeaderField, inTime bool) {
	if x.anonymous {
		to = append(to, hpack.HeaderField{Name: ":authority", Value: x.name})
	}
	for _, f := range x.fields {
		switch f.Name {
		case rpc.InstanceWantMetadata, rpc.LoadWantMetadata:
			continue
		case ":authority":
			f.Value = x.name // whatever the caller called it
		case "grpc-timeout":
			spent := now.Sub(x.began)
			left, worthwhile := x.service.timeLeft(now, x.timeout, spent)
			if !worthwhile {
				return nil, false
			}
			// Less than a unit of it has passed as a rule.
			if spent >= time.Millisecond {
				f.Value = formatTimeout(left)
			}
			f.Sensitive = true
		case rpc.KeyMetadata, rpc.RequestIDMetadata, "traceparent", hashKeyMetadata:
			// Different each time: an entry in the table of header compression
			// would push out one that is of use. Sensitive is how to say so.
			f.Sensitive = true
		}
		to = append(to, f)
	}
	if e.Instance != "" {
		to = append(to, hpack.HeaderField{Name: rpc.InstanceWantMetadata, Value: e.Instance})
	}
	if x.service.informed {
		to = append(to, hpack.HeaderField{Name: rpc.LoadWantMetadata, Value: "1"})
	}
	return to, true
}

// trailers is what the router reads of an answer.
type trailers struct {
	code    codes.Code
	message string
	refused bool   // by a server that was not meant
	load    string // what the instance says of itself
	named   bool   // the instance has said who it is
}

// readTrailers reads what ends an answer; alone says that it is all of it
// (Trailers-Only). Without a status the answer is none of gRPC's.
func readTrailers(fields []hpack.HeaderField, alone bool) trailers {
	t := trailers{code: codes.Unknown}
	for _, f := range fields {
		switch f.Name {
		case "grpc-status":
			if code, err := strconv.ParseUint(f.Value, 10, 32); err == nil {
				t.code = codes.Code(code)
			}
		case "grpc-message":
			t.message = f.Value
		case rpc.LoadTrailer:
			t.load = f.Value
		case rpc.RefusedTrailer:
			t.refused = true
		case rpc.InstanceTrailer:
			t.named = true
		}
	}
	t.refused = t.refused && t.code != codes.OK && alone
	return t
}

// appendProvenance adds the router's own trailers behind those of the server;
// who reads them merges the two (rpc.ParseProvenance). named says that the
// instance has said who it is.
func (x *exchange) appendProvenance(fields []hpack.HeaderField, now time.Time, e *endpoint, named bool) []hpack.HeaderField {
	if from, age := route(x.router.table.state.Load(), now); from != "" {
		x.router.counters.Routed(from)
		fields = append(fields,
			hpack.HeaderField{Name: rpc.RouteTrailer, Value: string(from)},
			hpack.HeaderField{Name: rpc.RouteAgeTrailer, Value: strconv.FormatInt(max(0, age).Milliseconds(), 10), Sensitive: true})
	}
	if x.attempts > 0 {
		fields = append(fields, hpack.HeaderField{Name: rpc.AttemptsTrailer, Value: strconv.Itoa(x.attempts)})
	}
	if e != nil && e.Instance != "" && !named {
		fields = append(fields, hpack.HeaderField{Name: rpc.InstanceTrailer, Value: e.Instance})
	}
	return fields
}

// statusHeaders is an answer of the router's own: trailers, and before them, if
// nothing of an answer has gone yet, what makes them an answer.
func statusHeaders(to []hpack.HeaderField, s *status.Status, begun bool) []hpack.HeaderField {
	if !begun {
		to = append(to,
			hpack.HeaderField{Name: ":status", Value: "200"},
			hpack.HeaderField{Name: "content-type", Value: "application/grpc"})
	}
	return append(to,
		hpack.HeaderField{Name: "grpc-status", Value: strconv.Itoa(int(s.Code()))},
		hpack.HeaderField{Name: "grpc-message", Value: encodeMessage(s.Message())})
}

// encodeMessage percent-encodes a status message (gRPC over HTTP/2,
// Status-Message).
func encodeMessage(message string) string {
	plain := !strings.ContainsFunc(message, func(r rune) bool { return r < ' ' || r > '~' || r == '%' })
	if plain {
		return message
	}
	return strings.ReplaceAll(url.PathEscape(message), "%20", " ")
}

// timeoutUnits are those of grpc-timeout, from the finest (gRPC over HTTP/2,
// Timeout).
var timeoutUnits = []struct {
	suffix byte
	unit   time.Duration
}{
	{'n', time.Nanosecond},
	{'u', time.Microsecond},
	{'m', time.Millisecond},
	{'S', time.Second},
	{'M', time.Minute},
	{'H', time.Hour},
}

// timeoutDigits is how many the value of grpc-timeout may have.
const timeoutDigits = 8

// formatTimeout writes a grpc-timeout in the finest unit that has room for it.
func formatTimeout(d time.Duration) string {
	const most = 99_999_999 // timeoutDigits
	for _, u := range timeoutUnits {
		if n := int64(d / u.unit); n <= most {
			return strconv.FormatInt(max(n, 1), 10) + string(u.suffix)
		}
	}
	return "99999999H"
}

// longestTimeout is where a deadline is as good as none: it keeps the sum of a
// time and a timeout a time.
const longestTimeout = 100 * 365 * 24 * time.Hour

// parseTimeout reads a grpc-timeout.
func parseTimeout(value string) (time.Duration, error) {
	if n := len(value); n >= 2 && n <= timeoutDigits+1 {
		for _, u := range timeoutUnits {
			if value[n-1] != u.suffix {
				continue
			}
			amount, err := strconv.ParseUint(value[:n-1], 10, 32)
			switch {
			case err != nil:
			case time.Duration(amount) > longestTimeout/u.unit:
				return longestTimeout, nil
			default:
				return time.Duration(amount) * u.unit, nil
			}
		}
	}
	return 0, status.Errorf(codes.Internal, "grpc-timeout %q is not up to %d digits and one of n, u, m, S, M, H", value, timeoutDigits)
}
