package transport

import (
	"fmt"
	"net/url"
	"strconv"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/grpc/codes"

	"breakbank/platform/wire"
)

// answeredLocked reads an answer that is complete. c.mu is held.
func (c *Call) answeredLocked() {
	c.Fate = Answered
	c.Messages = c.prefix.count
	grpcStatus, hasStatus := "", false
	for i := range c.Fields {
		switch f := &c.Fields[i]; f.Name {
		case ":status":
			c.Status, _ = strconv.Atoi(f.Value)
		case "grpc-status":
			grpcStatus, hasStatus = f.Value, true
		case "grpc-message":
			c.Message = unescape(f.Value)
		}
	}
	c.over = true
	switch {
	case c.tooLong():
		c.Fate = Lost
		c.Code, c.Message = codes.ResourceExhausted, fmt.Sprintf("the answer is longer than %d bytes", c.ReplyMax)
	case c.Head.Kind == HTTP:
		c.Code = codes.OK
	case hasStatus:
		c.Code = parseStatus(grpcStatus)
		if c.Code == codes.OK && !c.prefix.between() {
			c.Fate, c.Code, c.Message = Lost, codes.Internal, "the answer ends within a message"
		}
	case c.Status != 200:
		c.Code, c.Message = codeOfHTTP(c.Status), fmt.Sprintf("HTTP %d, not gRPC's answer", c.Status)
	default:
		c.Fate, c.Code, c.Message = Lost, codes.Internal, "an answer without a status"
	}
}

// codeOfEnding is the code for a stream that ended early (gRPC over HTTP2,
// "Errors"). A server that was told the deadline cancels when it has passed,
// and may be first to say so.
func codeOfEnding(why wire.Ending, deadline time.Time) codes.Code {
	if why.Kind != wire.Reset {
		return codes.Unavailable
	}
	switch why.Code {
	case http2.ErrCodeRefusedStream:
		return codes.Unavailable
	case http2.ErrCodeCancel:
		if !deadline.IsZero() && !time.Now().Before(deadline) {
			return codes.DeadlineExceeded
		}
		return codes.Canceled
	case http2.ErrCodeEnhanceYourCalm:
		return codes.ResourceExhausted
	case http2.ErrCodeInadequateSecurity:
		return codes.PermissionDenied
	}
	return codes.Internal
}

// parseStatus reads grpc-status; what gRPC does not define is UNKNOWN.
func parseStatus(text string) codes.Code {
	n, err := strconv.ParseUint(text, 10, 8)
	if err != nil || n > uint64(codes.Unauthenticated) {
		return codes.Unknown
	}
	return codes.Code(n)
}

// unescape undoes the percent-encoding of grpc-message.
func unescape(text string) string {
	if plain, err := url.PathUnescape(text); err == nil {
		return plain
	}
	return text
}

// codeOfHTTP is the code for an HTTP status without a gRPC one (gRPC, "HTTP to
// gRPC Status Code Mapping").
func codeOfHTTP(status int) codes.Code {
	switch status {
	case 400:
		return codes.Internal
	case 401:
		return codes.Unauthenticated
	case 403:
		return codes.PermissionDenied
	case 404:
		return codes.Unimplemented
	case 429, 502, 503, 504:
		return codes.Unavailable
	}
	return codes.Unknown
}
