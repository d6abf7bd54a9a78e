package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/codes"
)

// cutLimit bounds how long a port may take to answer something hostile, or to
// close the connection.
const cutLimit = 5 * time.Second

// Outcomes that no protocol has a code for.
const (
	closed  = "closed"
	hanging = "neither answered nor closed"
)

// answer is what a port made of a request.
type answer struct {
	outcome string // "HTTP 400", "gRPC Internal", "-ERR …", closed
	said    string // all that came back, for what may not be in it
}

// raw sends bytes over a connection of their own, and reads a response of HTTP
// or else until the connection is closed.
func raw(payload []byte) func(address string) answer {
	return func(address string) answer {
		conn, err := net.Dial("tcp4", address)
		if err != nil {
			return answer{outcome: err.Error()}
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(cutLimit)) // It is open.
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			_, _ = conn.Write(payload) // It may be cut off half way.
		}()
		var said bytes.Buffer
		outcome := rawOutcome(bufio.NewReader(io.TeeReader(conn, &said)), &said)
		conn.Close()
		<-sent
		return answer{outcome, said.String()}
	}
}

var natsError = regexp.MustCompile(`-ERR '([^'\r\n]*)'`)

// rawOutcome reads what came back, which is in said then.
func rawOutcome(from *bufio.Reader, said *bytes.Buffer) string {
	if beginning, _ := from.Peek(5); string(beginning) == "HTTP/" {
		resp, err := http.ReadResponse(from, nil)
		if err != nil {
			return err.Error()
		}
		defer resp.Body.Close()
		// The connection may be reset behind the answer: not all was read.
		_, _ = io.Copy(io.Discard, resp.Body)
		return fmt.Sprintf("HTTP %d", resp.StatusCode)
	}
	_, err := io.Copy(io.Discard, from)
	if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
		return hanging
	}
	if m := natsError.FindSubmatch(said.Bytes()); m != nil {
		return "-ERR " + string(m[1])
	}
	return closed
}

// stall sends the beginning of something, and nothing more. It returns how long
// the port put up with that, or an error.
func stall(ctx context.Context, address, beginning string) (time.Duration, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp4", address)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })()
	begun := time.Now()
	if _, err := io.WriteString(conn, beginning); err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, conn) // What it says before it closes does not matter.
	if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
		return 0, fmt.Errorf("still open after %v", time.Since(begun).Round(time.Second))
	}
	return time.Since(begun), nil
}

// httpRequest is a request that a well-made client would send, but for what is
// in it.
type httpRequest struct {
	method, path string
	fields       http.Header
	body         []byte
}

// overHTTP sends a request by one version of HTTP.
func overHTTP(t *testing.T, version int, r httpRequest) func(address string) answer {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(version == 1)
	protocols.SetUnencryptedHTTP2(version == 2)
	transport := &http.Transport{Protocols: protocols}
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport, Timeout: cutLimit}
	return func(address string) answer {
		req, err := http.NewRequest(r.method, "http://"+address+r.path, bytes.NewReader(r.body))
		if err != nil {
			return answer{outcome: err.Error()}
		}
		for name, values := range r.fields {
			req.Header[name] = values
		}
		resp, err := client.Do(req)
		if err != nil {
			return answer{outcome: err.Error()}
		}
		defer resp.Body.Close()
		said, err := io.ReadAll(resp.Body)
		if err != nil {
			return answer{outcome: err.Error()}
		}
		return answer{fmt.Sprintf("HTTP %d", resp.StatusCode), fmt.Sprint(resp.Header, string(said))}
	}
}

// grpcCall is a call as its bytes: what no client would send can be said too.
type grpcCall struct {
	authority, method string
	fields            [][2]string
	body              []byte // prefix and message
}

// framed is a message with its prefix.
func framed(message []byte) []byte { return append(prefix(0, len(message)), message...) }

// prefix is that of a gRPC message.
func prefix(compressed byte, length int) []byte {
	return binary.BigEndian.AppendUint32([]byte{compressed}, uint32(length))
}

// overGRPC makes a call over a connection of its own.
func overGRPC(c grpcCall) func(address string) answer {
	return func(address string) answer {
		conn, err := net.Dial("tcp4", address)
		if err != nil {
			return answer{outcome: err.Error()}
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(cutLimit)) // It is open.
		x := &exchange{framer: http2.NewFramer(conn, conn), window: initialWindow, connWindow: initialWindow}
		x.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
		if err := x.begin(conn, address, c); err != nil {
			return answer{closed, err.Error()}
		}
		return x.run(c.body)
	}
}

// initialWindow is how much of a stream may be sent before its peer asks for
// more (RFC 9113, 6.9.2), and frameMax how much in one frame.
const (
	initialWindow = 64<<10 - 1
	frameMax      = 16 << 10
)

// exchange is one call under way. The goroutine that reads is the only one that
// writes, too: a port that answers reads as well.
type exchange struct {
	framer             *http2.Framer
	window, connWindow int
	fields             []hpack.HeaderField
	said               bytes.Buffer
}

// begin greets, and sends the headers.
func (x *exchange) begin(w io.Writer, address string, c grpcCall) error {
	if _, err := io.WriteString(w, http2.ClientPreface); err != nil {
		return err
	}
	if err := x.framer.WriteSettings(); err != nil {
		return err
	}
	authority := c.authority
	if authority == "" {
		authority = address
	}
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, f := range append([][2]string{
		{":method", "POST"},
		{":scheme", "http"},
		{":path", c.method},
		{":authority", authority},
		{"content-type", "application/grpc"},
		{"te", "trailers"},
	}, c.fields...) {
		if err := encoder.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}); err != nil {
			return err
		}
	}
	first, pieces := true, slices.Collect(slices.Chunk(block.Bytes(), frameMax))
	for i, piece := range pieces {
		last := i == len(pieces)-1
		var err error
		if first {
			err = x.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: piece, EndHeaders: last})
		} else {
			err = x.framer.WriteContinuation(1, last, piece)
		}
		if err != nil {
			return err
		}
		first = false
	}
	return nil
}

// run sends the body as fast as the port takes it, and reads to the end.
func (x *exchange) run(body []byte) answer {
	for {
		if body != nil {
			n := min(len(body), frameMax, x.window, x.connWindow)
			if n > 0 || len(body) == 0 {
				err := x.framer.WriteData(1, n == len(body), body[:n])
				x.window, x.connWindow, body = x.window-n, x.connWindow-n, body[n:]
				if err != nil || len(body) == 0 {
					body = nil // All is sent, or nobody takes the rest: why, is to be read.
				}
				continue
			}
		}
		frame, err := x.framer.ReadFrame()
		if err != nil {
			return x.over(err)
		}
		ended, err := x.take(frame)
		if err != nil || ended {
			return x.over(err)
		}
	}
}

// take deals with one frame and says whether the call is over.
func (x *exchange) take(frame http2.Frame) (ended bool, err error) {
	switch f := frame.(type) {
	case *http2.SettingsFrame:
		if f.IsAck() {
			return false, nil
		}
		if v, is := f.Value(http2.SettingInitialWindowSize); is {
			x.window += int(v) - initialWindow
		}
		return false, x.framer.WriteSettingsAck()
	case *http2.PingFrame:
		if f.IsAck() {
			return false, nil
		}
		return false, x.framer.WritePing(true, f.Data)
	case *http2.WindowUpdateFrame:
		if f.StreamID == 0 {
			x.connWindow += int(f.Increment)
		} else {
			x.window += int(f.Increment)
		}
	case *http2.MetaHeadersFrame:
		x.fields = append(x.fields, f.Fields...)
		return f.StreamEnded(), nil
	case *http2.DataFrame:
		x.said.Write(f.Data())
		return f.StreamEnded(), nil
	case *http2.RSTStreamFrame:
		x.fields = append(x.fields, hpack.HeaderField{Name: "reset", Value: f.ErrCode.String()})
		return true, nil
	case *http2.GoAwayFrame:
		x.said.Write(f.DebugData())
		return true, nil
	}
	return false, nil
}

// over says what came of it.
func (x *exchange) over(err error) answer {
	outcome, refused := closed, ""
	for _, f := range x.fields {
		fmt.Fprintln(&x.said, f.Name, f.Value)
		switch f.Name {
		case ":status":
			if f.Value != "200" {
				outcome = "HTTP " + f.Value
			}
		case "reset":
			outcome = "reset " + f.Value
		case "grpc-status":
			code, err := strconv.Atoi(f.Value)
			if err == nil && !strings.HasPrefix(outcome, "HTTP") {
				outcome = "gRPC " + codes.Code(code).String()
			}
		case "bb-refused":
			refused = " " + f.Value
		}
	}
	if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
		outcome = hanging
	}
	return answer{outcome + refused, x.said.String()}
}
