package wire

import "golang.org/x/net/http2"

// resize makes the windows of all streams from a server smaller when too much
// of what it has sent is not consumed, and large again when that is over. They
// change by a setting (RFC 9113, 6.9.2): new streams begin with it, and those
// that are open take part. It reports whether it has written anything. c.mu is
// held.
func (c *Conn) resize() bool {
	want := c.announced
	switch {
	case c.held > heldHigh:
		want = smallWindow
	case c.held < heldLow:
		want = firstWindow
	}
	if c.server || want == c.announced || !c.settled {
		return false // one change at a time, so that it is known what is acknowledged
	}
	c.announced, c.settled = want, false
	c.put(func() error {
		return c.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: uint32(want)})
	})
	return true
}

// acknowledged is the peer keeping to the settings from now on.
func (c *Conn) acknowledged() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.settled {
		return
	}
	change := c.announced - c.first
	c.first, c.settled = c.announced, true
	if change == 0 {
		return
	}
	for _, s := range c.streams {
		s.window += change
		s.recvWindow += change
		// What was too little to be returned may be all that there is now.
		if !s.remoteEnded && s.unreturned > 0 && s.unreturned >= s.window/2 {
			s.credit(0)
		}
	}
	c.resize() // if that has changed meanwhile
	c.input.batch.add(c)
}
