package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"google.golang.org/grpc/codes"
)

// post makes a call that is not gRPC.
func (g *GRPCGo) post(ctx context.Context, ch *channel, c *Call) {
	request := (&http.Request{
		Method: http.MethodPost,
		URL:    &url.URL{Scheme: g.scheme, Host: ch.name, Path: c.Head.Path},
		Proto:  "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Host:          c.Head.Authority,
		ContentLength: int64(len(c.Request)),
		Body:          io.NopCloser(bytes.NewReader(c.Request)),
		Header:        http.Header{"Content-Type": {c.Head.ContentType}, "User-Agent": {userAgent}},
	}).WithContext(ctx)
	for name, values := range c.metadata() {
		request.Header[http.CanonicalHeaderKey(name)] = values
	}
	response, err := g.http.RoundTrip(request)
	if err != nil {
		c.postFailed(ctx, err)
		return
	}
	defer response.Body.Close()
	c.Fate, c.Status = Lost, response.StatusCode
	limit := int64(replyLimit)
	if c.ReplyMax > 0 {
		limit = int64(c.ReplyMax)
	}
	body := bytes.NewBuffer(c.Reply[:0])
	n, err := body.ReadFrom(io.LimitReader(response.Body, limit+1))
	c.ReplyBytes = n
	if c.ReplyMax > 0 {
		c.Reply = body.Bytes()
	}
	switch {
	case err != nil:
		c.postFailed(ctx, err)
		return
	case n > limit:
		c.Code, c.Message = codes.ResourceExhausted, fmt.Sprintf("the answer is longer than %d bytes", limit)
		return
	}
	for _, fields := range []http.Header{response.Header, response.Trailer} {
		for name, values := range fields {
			c.addFields(map[string][]string{strings.ToLower(name): values})
		}
	}
	c.Fate, c.Code = Answered, codes.OK
}

// postFailed says how far a call got that net/http gave up on. Only a failed
// dial is certain not to have reached a server.
func (c *Call) postFailed(ctx context.Context, err error) {
	var op *net.OpError
	c.Fate, c.Code, c.Message = Lost, codes.Unavailable, err.Error()
	switch {
	case errors.As(err, &op) && op.Op == "dial":
		c.Fate = Unsent
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		c.Code = codes.DeadlineExceeded
	case ctx.Err() != nil:
		c.Code = codes.Canceled
	}
}
