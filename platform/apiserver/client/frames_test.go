package client

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

// However a stream is cut up, the same objects come out of it.
func TestFramesDoNotDependOnPackets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		objects := rapid.SliceOfN(rapid.SampledFrom([]string{
			`{}`, `{"a":{"b":[{}]}}`, `{"s":"}{\"\\"}`, `{"s":"\\"}`, `{"n": 1 ,"t":true}`, `{"long":"` + strings.Repeat("x{", 6000) + `"}`,
		}), 0, 8).Draw(t, "objects")
		var stream strings.Builder
		for _, o := range objects {
			stream.WriteString(o + rapid.SampledFrom([]string{"", "\n", "\r\n \t"}).Draw(t, "between"))
		}
		torn := rapid.Bool().Draw(t, "torn")
		if torn {
			stream.WriteString(`{"type":"ADD`)
		}
		var packets io.Reader = strings.NewReader(stream.String())
		switch rapid.IntRange(0, 2).Draw(t, "packets") {
		case 0:
			packets = iotest.OneByteReader(packets)
		case 1:
			packets = iotest.HalfReader(iotest.DataErrReader(packets))
		}
		f := frames{stream: packets}
		for i, want := range objects {
			if got, err := f.next(); err != nil || string(got) != want {
				t.Fatalf("object %d: %.80s, %v, want %.80s", i, got, err, want)
			}
		}
		want := io.EOF
		if torn {
			want = io.ErrUnexpectedEOF
		}
		if got, err := f.next(); !errors.Is(err, want) {
			t.Fatalf("at the end: %s, %v", got, err)
		}
	})
}

// endless is an event that never ends.
type endless struct{ begun bool }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	if !e.begun {
		copy(p, `{"`)
		e.begun = true
	}
	return len(p), nil
}

func TestFramesAreBounded(t *testing.T) {
	f := frames{stream: &endless{}}
	if _, err := f.next(); !errors.Is(err, errFrameTooLarge) {
		t.Error(err)
	}
	if len(f.buffer) > maxEventBytes {
		t.Errorf("%d bytes are held", len(f.buffer))
	}
	for _, other := range []string{`[]`, `}`, `x`, "\n\n<html>"} {
		f := frames{stream: strings.NewReader(other)}
		if _, err := f.next(); !errors.Is(err, errNoFrame) {
			t.Errorf("%q: %v", other, err)
		}
	}
}

// A buffer that had to grow for one large event is given back.
func TestFramesShrink(t *testing.T) {
	f := frames{stream: strings.NewReader(`{"a":"` + strings.Repeat("x", 2*keptFrameBytes) + `"}` + strings.Repeat(" ", 3*frameBytes) + `{}{}`)}
	for range 3 {
		if _, err := f.next(); err != nil {
			t.Fatal(err)
		}
	}
	if cap(f.buffer) > keptFrameBytes {
		t.Errorf("%d bytes are held", cap(f.buffer))
	}
}

// BenchmarkNext is the cost of one event of a service with ten instances, up to
// where discovery takes over.
func BenchmarkNext(b *testing.B) {
	address := `{"ip":"10.20.30.100","nodeName":"node-1","targetRef":{"kind":"Pod","namespace":"default","name":"ledger-v1-7f9c-1","uid":"0a1b2c3d-1"}}`
	event := `{"type":"MODIFIED","object":{"kind":"Endpoints","apiVersion":"v1","metadata":{"resourceVersion":"4711","name":"ledger","namespace":"default"},"subsets":[{"addresses":[` +
		strings.TrimSuffix(strings.Repeat(address+",", 10), ",") + `],"ports":[{"name":"grpc","port":8080,"protocol":"TCP"}]}]}}` + "\n"
	w := &Watch{frames: frames{stream: &repeated{text: event}}}
	b.ReportAllocs()
	b.SetBytes(int64(len(event)))
	for b.Loop() {
		if _, err := w.Next(); err != nil {
			b.Fatal(err)
		}
	}
}

// repeated is a text over and over again.
type repeated struct {
	text string
	at   int
}

func (r *repeated) Read(p []byte) (int, error) {
	n := copy(p, r.text[r.at:])
	r.at = (r.at + n) % len(r.text)
	return n, nil
}
