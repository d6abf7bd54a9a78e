package wire

import (
	"fmt"
	"math"

	"golang.org/x/net/http2"
)

const (
	// initialWindow is every window before the settings (RFC 9113, 6.9.2).
	initialWindow = 65535
	// maxWindow is the largest that a window may become (RFC 9113, 6.9.1).
	maxWindow = math.MaxInt32
	// maxStreamID is the last that there can be.
	maxStreamID = math.MaxInt32
	// headerTable is the size of the table of header compression, both ways
	// (RFC 7541, the default).
	headerTable = 4096
	// sentFrameMax is the largest frame sent to a peer that takes larger ones.
	sentFrameMax = 64 << 10
)

// greet sends this side's settings.
func (c *Conn) greet() {
	settings := []http2.Setting{
		{ID: http2.SettingInitialWindowSize, Val: c.firstWindow()},
		{ID: http2.SettingMaxHeaderListSize, Val: MaxHeaderBytes},
	}
	if c.server {
		settings = append(settings, http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: uint32(c.config.MaxStreams)})
	} else {
		settings = append(settings, http2.Setting{ID: http2.SettingEnablePush, Val: 0})
	}
	// Writing to memory cannot fail.
	_ = c.framer.WriteSettings(settings...)
	_ = c.framer.WriteWindowUpdate(0, ConnWindow-initialWindow)
}

// firstWindow is the window with which the peer's side of a stream begins.
func (c *Conn) firstWindow() uint32 {
	if c.server {
		return StreamWindow
	}
	return firstWindow
}

// settings takes the peer's limits and acknowledges them.
func (c *Conn) settings(f *http2.SettingsFrame) error {
	if err := c.wasted(); err != nil {
		return err
	}
	if f.IsAck() {
		c.acknowledged()
		return nil
	}
	var sent []passed
	c.mu.Lock()
	if !c.peer.seen {
		c.peer.seen, c.peer.maxStreams = true, math.MaxInt32 // no limit unless one is named
		close(c.greeted)
	}
	err := f.ForeachSetting(func(s http2.Setting) error {
		if err := s.Valid(); err != nil {
			return err //nolint:wrapcheck // the connection error that RFC 9113 names
		}
		switch s.ID {
		case http2.SettingEnablePush:
			if !c.server && s.Val != 0 { // RFC 9113, 6.5.2
				return http2.ConnectionError(http2.ErrCodeProtocol)
			}
		case http2.SettingInitialWindowSize:
			return c.resizeWindows(int64(s.Val))
		case http2.SettingMaxFrameSize:
			c.peer.frameSize = int(min(s.Val, sentFrameMax))
		case http2.SettingMaxConcurrentStreams:
			c.peer.maxStreams = min(s.Val, math.MaxInt32)
		case http2.SettingHeaderTableSize:
			c.encoder.SetMaxDynamicTableSizeLimit(min(s.Val, headerTable))
			c.repeat.forget() // the next list says that the table has another size
		case http2.SettingMaxHeaderListSize:
			c.peer.headerList = int64(s.Val)
		default: // nothing that changes what is sent
		}
		return nil
	})
	if err == nil {
		c.put(c.framer.WriteSettingsAck)
		sent = c.unblock()
	}
	c.mu.Unlock()
	if err != nil {
		return fmt.Errorf("the peer's settings: %w", err)
	}
	c.input.batch.add(c)
	c.tell(&c.input.batch, sent)
	return nil
}

// resizeWindows changes the windows of all streams by what the initial one has
// changed (RFC 9113, 6.9.2). c.mu is held.
func (c *Conn) resizeWindows(size int64) error {
	change := size - c.peer.streamWindow
	c.peer.streamWindow = size
	for _, s := range c.streams {
		if s.sendWindow += change; s.sendWindow > maxWindow {
			return http2.ConnectionError(http2.ErrCodeFlowControl)
		}
		s.enqueue()
	}
	return nil
}
