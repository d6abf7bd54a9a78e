package wire

import (
	"context"
	"errors"
	"testing"

	"golang.org/x/net/http2"
)

// First bytes that are not those of an HTTP/2 client (RFC 9113, 3.4).
func TestPreface(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(p *peer)
	}{
		{"HTTP/1.1", func(p *peer) { p.write([]byte("GET / HTTP/1.1\r\nhost: b\r\n\r\n")) }},
		{"TLS", func(p *peer) { p.write([]byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 and 24 bytes more")) }},
		{"almost", func(p *peer) { p.write([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\n\n")) }},
		{"no settings behind it", func(p *peer) {
			p.write([]byte(http2.ClientPreface))
			p.request(1, true)
		}},
		{"an acknowledgement behind it", func(p *peer) {
			p.write([]byte(http2.ClientPreface))
			p.must(p.fr.WriteSettingsAck())
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := newRecorder()
			p := clientOf(t, h, Config{})
			c.do(p)
			if code := p.untilGoAway(); code != http2.ErrCodeProtocol {
				t.Errorf("the connection ended with %v", code)
			}
			_ = h.awaitClosed(t)
			if len(h.streams) != 0 {
				t.Errorf("%d streams were opened", len(h.streams))
			}
		})
	}
}

// A server that does not begin with its settings, such as one of HTTP/1.1.
func TestServersPreface(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(p *peer)
		code http2.ErrCode
	}{
		{"a ping", func(p *peer) { p.must(p.fr.WritePing(false, [8]byte{})) }, http2.ErrCodeProtocol},
		{"HTTP/1.1", func(p *peer) { p.write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")) }, http2.ErrCodeFrameSize},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := serverOf(t, newRecorder())
			s := p.open(true)
			c.do(p)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			var wrong *ProtocolError
			if err := p.conn.Greeted(ctx); !errors.As(err, &wrong) || wrong.Code != c.code {
				t.Errorf("greeted: %v", err)
			}
			p.heard.awaitEnding(t, s)
		})
	}
}

// What this side says first.
func TestGreeting(t *testing.T) {
	for _, c := range []struct {
		name  string
		greet func() *peer
		want  map[http2.SettingID]uint32
	}{
		{"server", func() *peer { return clientOf(t, newRecorder(), Config{MaxStreams: 7}) }, map[http2.SettingID]uint32{
			http2.SettingInitialWindowSize: StreamWindow, http2.SettingMaxHeaderListSize: MaxHeaderBytes, http2.SettingMaxConcurrentStreams: 7,
		}},
		{"client", func() *peer { return serverOf(t, newRecorder()) }, map[http2.SettingID]uint32{
			http2.SettingInitialWindowSize: firstWindow, http2.SettingMaxHeaderListSize: MaxHeaderBytes, http2.SettingEnablePush: 0,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := c.greet()
			f, err := p.fr.ReadFrame()
			p.must(err)
			settings, ok := f.(*http2.SettingsFrame)
			if !ok || settings.IsAck() || settings.NumSettings() != len(c.want) {
				t.Fatalf("the first frame is %v", f)
			}
			for id, want := range c.want {
				if got, ok := settings.Value(id); !ok || got != want {
					t.Errorf("%v is %d, want %d", id, got, want)
				}
			}
			if s, err := p.next(); err != nil || s.kind != http2.FrameWindowUpdate || s.id != 0 || s.credit != ConnWindow-initialWindow {
				t.Errorf("then comes %v, %v", s, err)
			}
		})
	}
}
