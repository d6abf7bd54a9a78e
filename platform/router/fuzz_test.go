package router

import (
	"io"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"breakbank/platform/router/discovery"
	"breakbank/platform/rpc"
)

// FuzzTimeout: a grpc-timeout that can be read is what was meant, and what is
// written for it can be read again, is no longer, and is at most a thousandth
// shorter.
func FuzzTimeout(f *testing.F) {
	for _, seed := range []string{"1S", "100m", "99999999H", "0n", "12345678u", "", "S", "123456789S", "-1S", "+1S", "1s", "1_0S", " 1S", "00000001M"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		d, err := parseTimeout(value)
		wellFormed := len(value) >= 2 && len(value) <= timeoutDigits+1 &&
			strings.Trim(value[:len(value)-1], "0123456789") == "" && strings.ContainsAny(value[len(value)-1:], "numSMH")
		if (err == nil) != wellFormed {
			t.Fatalf("%q: %v", value, err)
		}
		if err != nil {
			return
		}
		if d < 0 || d > longestTimeout {
			t.Fatalf("%q is %v", value, d)
		}
		again, err := parseTimeout(formatTimeout(d))
		if err != nil {
			t.Fatalf("%q is %v, written %q: %v", value, d, formatTimeout(d), err)
		}
		if least := d - d/1000; again > max(d, 1) || again < least {
			t.Errorf("%q is %v, and then %v", value, d, again)
		}
	})
}

// FuzzFormatTimeout is the same for any time that may be left.
func FuzzFormatTimeout(f *testing.F) {
	for _, seed := range []time.Duration{0, 1, time.Millisecond, 99_999_999, 100_000_000, time.Hour, 1<<63 - 1} {
		f.Add(int64(seed))
	}
	f.Fuzz(func(t *testing.T, left int64) {
		d := time.Duration(left)
		if d < 0 {
			return // is not sent on
		}
		written := formatTimeout(d)
		again, err := parseTimeout(written)
		if err != nil {
			t.Fatalf("%v, written %q: %v", d, written, err)
		}
		if d = min(d, longestTimeout); again > max(d, 1) || again < d-d/1000 {
			t.Errorf("%v, written %q, is %v", d, written, again)
		}
	})
}

// FuzzMessage: a status message gets through, and what carries it is a header.
func FuzzMessage(f *testing.F) {
	for _, seed := range []string{"", "plain", "100%", "nichts – zu machen", "a\r\nb\x00", "\xff\xfe", "%20", " ", "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, message string) {
		written := encodeMessage(message)
		if i := strings.IndexFunc(written, func(r rune) bool { return r < ' ' || r > '~' }); i >= 0 {
			t.Fatalf("%q is written as %q", message, written)
		}
		if read, err := url.PathUnescape(written); err != nil || read != message {
			t.Errorf("%q is written as %q and read as %q, %v", message, written, read, err)
		}
	})
}

// idleRouter is a router with a service, that was never started.
func idleRouter(f *testing.F) (*Router, *service) {
	f.Helper()
	r, err := New(Options{
		Node: "a1", Zone: "a", Config: []byte("{strategy: prequal, overlays: {deadline: {}}}"), APIServers: []string{"http://127.0.0.1:1"},
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Seed: 1,
	})
	if err != nil {
		f.Fatal(err)
	}
	s, err := newService("echo", r.config, r.plane, 1, r.log)
	if err != nil {
		f.Fatal(err)
	}
	r.table.state.Store(&discovery.State{Basis: discovery.FromSource, HeardAt: time.Now()})
	return r, s
}

// written reads header fields in a form in which they can be fuzzed: a name and
// a value a line, with a tab between. Those that package wire lets through have
// no line breaks.
func written(lines string) []hpack.HeaderField {
	var fields []hpack.HeaderField
	for line := range strings.SplitSeq(lines, "\n") {
		name, value, _ := strings.Cut(line, "\t")
		fields = append(fields, hpack.HeaderField{Name: name, Value: value})
	}
	return fields
}

// FuzzRequestHeaders: whatever a request's headers are, an instance gets all of
// them in their order but those that are the router's own, with the service's
// name, a time that is no longer, and the identity that it is asked for.
func FuzzRequestHeaders(f *testing.F) {
	router, service := idleRouter(f)
	for _, seed := range []string{
		":method\tPOST\n:path\t/a.B/C\n:authority\techo\ncontent-type\tapplication/grpc\ngrpc-timeout\t1S",
		":method\tPOST\n:path\t\n:authority\t127.0.0.1:80\ncontent-type\tapplication/grpc+proto\ntraceparent\t00\nbb-instance-want\tx\nbb-load-want\t1",
		":method\tGET\ncontent-type\ttext/html",
		":method\tPOST\ncontent-type\tapplication/grpc\ngrpc-timeout\t1m\ngrpc-timeout\t1H\n" + rpc.KeyMetadata + "\tk\nbb-hash-key\tu\nbb-criticality\tsheddable",
		":method\tPOST\ncontent-type\tapplication/grpc\ngrpc-timeout\t1x",
	} {
		f.Add(seed, uint32(5))
	}
	own := []string{rpc.InstanceWantMetadata, rpc.LoadWantMetadata}
	f.Fuzz(func(t *testing.T, lines string, spentMs uint32) {
		now := time.Unix(1e9, 0)
		x := &exchange{fields: written(lines)}
		x.router, x.service, x.began = router, service, now.Add(-time.Duration(spentMs)*time.Millisecond)
		if err := x.readHeaders(); err != nil {
			if status.Code(err) != codes.Internal {
				t.Errorf("refused with %v", err)
			}
			return
		}
		x.name = service.name
		e := &endpoint{Endpoint: discovery.Endpoint{Addr: "127.0.0.1:1", Instance: "echo-1"}}
		got, inTime := x.requestHeaders(nil, e, now)
		if !inTime {
			if x.timeout == 0 && !strings.Contains(lines, "grpc-timeout") {
				t.Error("no time is left of all the time in the world")
			}
			return
		}
		if x.anonymous { // it names the service that it is for all the same
			if want := (hpack.HeaderField{Name: ":authority", Value: service.name}); got[0] != want {
				t.Errorf("it begins with %v, want %v", got[0], want)
			}
			got = got[1:]
		}
		i := 0
		for _, f := range x.fields {
			if slices.Contains(own, f.Name) {
				continue
			}
			have := got[i]
			i++
			switch {
			case have.Name != f.Name:
				t.Fatalf("field %d is %v, want %v", i, have, f)
			case f.Name == ":authority":
				if have.Value != service.name {
					t.Errorf("the authority is %q", have.Value)
				}
			case f.Name == "grpc-timeout":
				// Of several the last one counts.
				left, err := parseTimeout(have.Value)
				if err != nil || left > max(x.timeout, 1) {
					t.Errorf("a timeout of %v became %v, %v", x.timeout, left, err)
				}
			case have.Value != f.Value:
				t.Errorf("field %d is %v, want %v", i, have, f)
			}
		}
		rest := got[i:]
		if len(rest) == 0 || rest[0].Name != rpc.InstanceWantMetadata || rest[0].Value != "echo-1" || len(rest) > 2 {
			t.Errorf("behind them come %v", rest)
		}
	})
}

// FuzzTrailers: whatever an answer ends with, the caller gets all of it, and
// the router's own behind it.
func FuzzTrailers(f *testing.F) {
	router, service := idleRouter(f)
	for _, seed := range []string{
		"grpc-status\t0", "grpc-status\t14\ngrpc-message\tno\nbb-refused\twrong-service", ":status\t200\ncontent-type\tapplication/grpc\ngrpc-status\t99999999999",
		"grpc-status\t-1\nbb-instance\techo-1\nbb-load\tx", "grpc-status\t4294967295\ngrpc-status\t0",
	} {
		f.Add(seed, true)
	}
	f.Fuzz(func(t *testing.T, lines string, alone bool) {
		fields := written(lines)
		x := &exchange{fields: fields}
		x.router, x.service, x.attempts = router, service, 1
		end := readTrailers(fields, alone)
		if end.refused && (end.code == codes.OK || !alone) {
			t.Error("a request that was executed counts as refused")
		}
		readLoad(end.load)
		resent := x.appendProvenance(slices.Clone(fields), time.Now(), &endpoint{Endpoint: discovery.Endpoint{Instance: "echo-1"}}, end.named)
		if !slices.Equal(resent[:len(fields)], fields) {
			t.Errorf("%v became %v", fields, resent)
		}
		for _, f := range resent[len(fields):] {
			if !strings.HasPrefix(f.Name, "bb-") || strings.ContainsAny(f.Value, "\r\n\x00") {
				t.Errorf("the router adds %v", f)
			}
		}
	})
}
