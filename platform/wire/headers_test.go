package wire

import (
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// Header lists of requests that are malformed (RFC 9113, 8.1.1): the stream is
// reset with PROTOCOL_ERROR, and the table of header compression stays what
// both sides think it is.
func TestMalformedRequests(t *testing.T) {
	for _, c := range []struct {
		name, section string
		fields        []hpack.HeaderField
	}{
		{"no fields", "8.3.1", nil},
		{"no :method", "8.3.1", fieldsOf(":scheme", "http", ":path", "/")},
		{"no :scheme", "8.3.1", fieldsOf(":method", "POST", ":path", "/")},
		{"no :path", "8.3.1", fieldsOf(":method", "POST", ":scheme", "http")},
		{"an empty :path", "8.3.1", fieldsOf(":method", "POST", ":scheme", "http", ":path", "")},
		{":method twice", "8.3", fieldsOf(":method", "POST", ":method", "POST", ":scheme", "http", ":path", "/")},
		{":path twice", "8.3", append(fieldsOf(":path", "/"), requestFields()...)},
		{"a response's pseudo-header", "8.3", append(fieldsOf(":status", "200"), requestFields()...)},
		{"an unknown pseudo-header", "8.3", append(fieldsOf(":protocol", "x"), requestFields()...)},
		{"a pseudo-header behind others", "8.3", append(fieldsOf("a", "b"), requestFields()...)},
		{"a name in capitals", "8.2.1", requestFields("Capital", "x")},
		{"an empty name", "8.2.1", requestFields("", "x")},
		{"a name with a space", "8.2.1", requestFields("a b", "x")},
		{"a name with a colon", "8.2.1", requestFields("a:b", "x")},
		{"a value with a line feed", "8.2.1", requestFields("a", "x\ny")},
		{"a value with a carriage return", "8.2.1", requestFields("a", "x\ry")},
		{"a value with a zero", "8.2.1", requestFields("a", "x\x00y")},
		{"connection", "8.2.2", requestFields("connection", "close")},
		{"keep-alive", "8.2.2", requestFields("keep-alive", "timeout=5")},
		{"proxy-connection", "8.2.2", requestFields("proxy-connection", "close")},
		{"transfer-encoding", "8.2.2", requestFields("transfer-encoding", "chunked")},
		{"upgrade", "8.2.2", requestFields("upgrade", "h2c")},
		{"te other than trailers", "8.2.2", requestFields("te", "gzip")},
	} {
		t.Run(c.section+" "+c.name, func(t *testing.T) {
			t.Parallel()
			p := greetedClientOf(t, newRecorder(), Config{})
			p.headers(1, true, c.fields)
			if code := p.untilReset(1); code != http2.ErrCodeProtocol {
				t.Errorf("reset with %v", code)
			}
			p.serves(3)
			p.heard.now(func() {
				if n := len(p.heard.streams); n != 1 {
					t.Errorf("the handler saw %d streams", n)
				}
			})
		})
	}
}

// Trailers of a request that are malformed.
func TestMalformedTrailers(t *testing.T) {
	for _, c := range []struct {
		name, section string
		end           bool
		fields        []hpack.HeaderField
	}{
		{"without the end of the stream", "8.1", false, fieldsOf("a", "b")},
		{"with pseudo-headers", "8.1", true, requestFields()},
		{"with a name in capitals", "8.2.1", true, fieldsOf("A", "b")},
	} {
		t.Run(c.section+" "+c.name, func(t *testing.T) {
			t.Parallel()
			p := greetedClientOf(t, newRecorder(), Config{})
			p.request(1, false)
			p.headers(1, c.end, c.fields)
			if code := p.untilReset(1); code != http2.ErrCodeProtocol {
				t.Errorf("reset with %v", code)
			}
			s := p.heard.awaitStream(t, 0)
			if why := p.heard.awaitEnding(t, s); why.Kind != Broken {
				t.Errorf("the handler was told %v", why)
			}
			p.serves(3)
		})
	}
}

func TestGoodHeaders(t *testing.T) {
	p := greetedClientOf(t, newRecorder(), Config{})
	more := []string{"te", "trailers", "x-bin", "\xff\xfe", "two", "1", "two", "2", "empty", "", "grpc-timeout", "1S"}
	p.headers(1, true, requestFields(more...))
	s := p.heard.awaitStream(t, 0)
	p.heard.now(func() {
		got, want := p.heard.headers[s][0], requestFields(more...)
		if len(got) != len(want) {
			t.Fatalf("%d fields, want %d", len(got), len(want))
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("field %d is %v, want %v", i, got[i], want[i])
			}
		}
	})
}

// Header blocks that cannot be decoded end the connection (RFC 9113, 4.3; RFC
// 7541): the table of header compression is lost.
func TestBrokenCompression(t *testing.T) {
	for _, c := range []struct {
		name  string
		block []byte
	}{
		{"index 0", []byte{0x80}},
		{"an index beyond the table", []byte{0xff, 0x80, 0x01}},
		{"an index without end", []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}},
		{"a string beyond the block", []byte{0x40, 0x0a, 'a', 'b'}},
		{"a table larger than allowed", []byte{0x3f, 0xe2, 0x1f}}, // 4097
		{"a table resized after a field", []byte{0x40, 1, 'a', 1, 'b', 0x20}},
		{"wrong padding of Huffman's code", []byte{0x40, 0x81, 0x00, 0x01, 'x'}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := greetedClientOf(t, newRecorder(), Config{})
			p.must(p.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.block, EndHeaders: true, EndStream: true}))
			if code := p.untilGoAway(); code != http2.ErrCodeCompression {
				t.Errorf("the connection ended with %v", code)
			}
		})
	}
}

// A bomb: one large value put into the table, and then named again and again,
// a byte each. What is kept of it stays within MaxHeaderBytes, the answer is
// 431, and the connection goes on.
func TestHeaderBomb(t *testing.T) {
	p := greetedClientOf(t, newRecorder(), Config{})
	bomb := requestFields("bomb", strings.Repeat("x", 4000))
	again := bomb[len(bomb)-1]
	for range 10_000 {
		bomb = append(bomb, again)
	}
	p.headers(1, true, bomb)
	s := p.until("an answer", func(s seen) bool { return s.kind == http2.FrameHeaders && s.id == 1 })
	if !s.end || s.fields[0].Value != "431" {
		t.Errorf("answered with %v", s.fields)
	}
	p.serves(3)
	p.heard.now(func() {
		if n := len(p.heard.streams); n != 1 {
			t.Errorf("the handler saw %d streams", n)
		}
	})
}

// A list of a value that is too large by itself.
func TestLargeHeaders(t *testing.T) {
	p := greetedClientOf(t, newRecorder(), Config{})
	large := requestFields()
	for range 17 { // Huffman's code makes 5 bits of these 8
		large = append(large, hpack.HeaderField{Name: "large", Value: strings.Repeat("e", 4096), Sensitive: true})
	}
	block := p.encode(large)
	p.must(p.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block[:frameMax], EndStream: true}))
	for block = block[frameMax:]; len(block) > 0; {
		n := min(len(block), frameMax)
		p.must(p.fr.WriteContinuation(1, n == len(block), block[:n]))
		block = block[n:]
	}
	s := p.until("an answer", func(s seen) bool { return s.kind == http2.FrameHeaders && s.id == 1 })
	if s.fields[0].Value != "431" {
		t.Errorf("answered with %v", s.fields)
	}
	p.serves(3)
}

// A header block without end (CVE-2024-27316 and its kin) costs the connection.
func TestEndlessHeaders(t *testing.T) {
	t.Run("empty frames", func(t *testing.T) {
		p := greetedClientOf(t, newRecorder(), Config{})
		beginHeaders(p, 1)
		for range maxContinuations + 1 {
			p.must(p.fr.WriteContinuation(1, false, nil))
		}
		if code := p.untilGoAway(); code != http2.ErrCodeEnhanceYourCalm {
			t.Errorf("the connection ended with %v", code)
		}
	})
	t.Run("full frames", func(t *testing.T) {
		p := greetedClientOf(t, newRecorder(), Config{})
		beginHeaders(p, 1)
		part := p.encode(fieldsOf("large", strings.Repeat("\x01", 4000)))
		for sent := 0; sent <= MaxHeaderBytes; sent += 3 * len(part) {
			p.must(p.fr.WriteContinuation(1, false, []byte(strings.Repeat(string(part), 3))))
		}
		if code := p.untilGoAway(); code != http2.ErrCodeEnhanceYourCalm {
			t.Errorf("the connection ended with %v", code)
		}
	})
}

// The header lists of all open streams together are bounded: beyond it streams
// are refused, as beyond MaxStreams.
func TestHeadersHeldAreBounded(t *testing.T) {
	h := newRecorder()
	h.silent.Store(true)
	p := greetedClientOf(t, h, Config{})
	// All of it is in the table, so that a request of 50 KiB is 30 bytes.
	large := requestFields()
	for range 12 {
		large = append(large, hpack.HeaderField{Name: "large", Value: strings.Repeat("x", 3900)})
	}
	size := 0
	for _, f := range large {
		size += int(f.Size())
	}
	fit := headersMax / size
	for i := range fit + 1 {
		p.headers(uint32(2*i+1), true, large)
	}
	if code := p.untilReset(uint32(2*fit + 1)); code != http2.ErrCodeRefusedStream {
		t.Errorf("reset with %v", code)
	}
	p.must(p.fr.WriteRSTStream(1, http2.ErrCodeCancel))
	h.awaitEnding(t, h.awaitStream(t, 0))
	h.silent.Store(false)
	p.serves(uint32(2*fit + 3))
}

func TestTooManyStreams(t *testing.T) {
	h := newRecorder()
	h.silent.Store(true)
	p := greetedClientOf(t, h, Config{MaxStreams: 3})
	for id := uint32(1); id <= 7; id += 2 {
		p.request(id, false)
	}
	if code := p.untilReset(7); code != http2.ErrCodeRefusedStream {
		t.Errorf("reset with %v", code)
	}
	p.must(p.fr.WriteRSTStream(3, http2.ErrCodeCancel))
	h.silent.Store(false)
	p.serves(9)
}
