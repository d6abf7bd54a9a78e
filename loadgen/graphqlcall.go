package loadgen

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"google.golang.org/grpc/codes"
)

// replyMaxBytes bounds a gateway's reply; a feed of ten entries is below 2 KiB.
const replyMaxBytes = 256 << 10

// jsonContent is shared by all requests; header keys here are in canonical form,
// which spares net/http the conversion.
var jsonContent = []string{"application/json"}

// callGraphQL posts a GraphQL request to the gateway of the customer's zone and
// keeps the provenance. With ok, the reply is in v.reply; else the decision
// stands.
func (v *visit) callGraphQL(ctx context.Context, e *edges, body []byte) (d Decision, ok bool) {
	left := time.Until(v.deadline).Milliseconds()
	request := (&http.Request{
		Method:        http.MethodPost,
		URL:           e.gateway[int(v.arrival.Customer)%len(e.gateway)],
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		ContentLength: int64(len(body)),
		Body:          io.NopCloser(bytes.NewReader(body)),
		Header: http.Header{
			"Content-Type":  jsonContent,
			"Bb-Timeout-Ms": {strconv.FormatInt(max(left, 1), 10)},
		},
	}).WithContext(ctx)
	response, err := e.http.RoundTrip(request)
	if err != nil {
		f, code := httpFate(ctx, err)
		return classifyError(v.write, f, code, err.Error()), false
	}
	v.reply, err = readAll(response.Body, v.reply[:0])
	response.Body.Close()
	if err != nil {
		_, code := httpFate(ctx, err)
		return classifyError(v.write, lost, code, err.Error()), false
	}
	v.provenance = parseProvenance(headerOf(response.Header, "Bb-Route"),
		headerOf(response.Header, "Bb-Route-Age-Ms"), headerOf(response.Header, "Bb-Attempts"))
	if response.StatusCode != http.StatusOK {
		f, code := statusFate(response.StatusCode)
		return classifyError(v.write, f, code, fmt.Sprintf("HTTP %d: %s", response.StatusCode, v.reply[:min(len(v.reply), errMaxBytes)])), false
	}
	return Decision{}, true
}

// httpFate says how far a request got that net/http gave up on. Only a failed
// dial is certain not to have reached a server.
func httpFate(ctx context.Context, err error) (fate, string) {
	var op *net.OpError
	switch {
	case errors.As(err, &op) && op.Op == "dial":
		return unsent, codeNames[codes.Unavailable]
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return lost, codeNames[codes.DeadlineExceeded]
	case ctx.Err() != nil:
		return lost, codeNames[codes.Canceled]
	default:
		return lost, CodeLost
	}
}

// statusFate reads an HTTP status that is not 200: the gateway is not there
// (503), refused the request unread (4xx), or broke over it.
func statusFate(status int) (fate, string) {
	switch {
	case status == http.StatusServiceUnavailable:
		return refused, codeNames[codes.Unavailable]
	case status >= 400 && status < 500:
		return refused, codeNames[codes.InvalidArgument]
	default:
		return lost, codeNames[codes.Internal]
	}
}

// readAll appends a body to buf, reusing its space.
func readAll(body io.Reader, buf []byte) ([]byte, error) {
	b := bytes.NewBuffer(buf)
	_, err := b.ReadFrom(io.LimitReader(body, replyMaxBytes+1))
	if err == nil && b.Len() > replyMaxBytes {
		err = fmt.Errorf("the reply is longer than %d bytes", replyMaxBytes)
	}
	return b.Bytes(), err
}

func headerOf(h http.Header, canonical string) string {
	if values := h[canonical]; len(values) > 0 {
		return values[0]
	}
	return ""
}
