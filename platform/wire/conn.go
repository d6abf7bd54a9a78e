package wire

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// Why a stream cannot be opened.
var (
	// ErrClosed: the connection is over.
	ErrClosed = errors.New("connection closed")
	// ErrDraining: the server takes no more streams on the connection.
	ErrDraining = errors.New("connection is draining")
	// ErrTooManyStreams: as many streams are open as the server allows.
	ErrTooManyStreams = errors.New("too many streams on the connection")
	// ErrHeadersTooLarge: the header list is larger than the server takes.
	ErrHeadersTooLarge = errors.New("headers are larger than the peer takes")
)

// ProtocolError is what a peer did that ended the connection.
type ProtocolError struct {
	Code http2.ErrCode // as it was told the peer in GOAWAY
	Why  string
}

func (e *ProtocolError) Error() string { return fmt.Sprintf("%v: %s", e.Code, e.Why) }

// Config is what a connection is given.
type Config struct {
	Handler Handler
	// MaxStreams bounds the streams that the peer may have open, on a server's
	// side; 0 stands for DefaultMaxStreams.
	MaxStreams int
}

// Conn is one HTTP/2 connection. Its methods may be called from any goroutine.
type Conn struct {
	config Config
	server bool
	socket *socket
	input  *input
	framer *http2.Framer // read by the reading goroutine, written under mu

	// Of the reading goroutine.
	decoder *hpack.Decoder
	header  headerBlock
	floods  floods
	met     bool // the peer's settings have come

	readAt atomic.Int64 // Unix nanoseconds of the last byte, for probes
	active atomic.Int64 // streams open

	mu      sync.Mutex
	err     error // set once the connection is over
	streams map[uint32]*Stream
	nextID  uint32 // client: of the next stream; server: the last opened by the peer
	peer    peerSettings

	out        outBuffer
	framesSent int           // HEADERS and DATA
	flushing   bool          // somebody is writing, and will write all there is
	written    chan struct{} // closed when that is done, if somebody waits for it
	queued     uint64        // bytes ever put into out
	offered    uint64        // of them, those that may have gone out

	encoder *hpack.Encoder
	block   bytes.Buffer // of the encoder
	repeat  repeat       // what it encoded last

	sendWindow int64 // of the connection
	// blocked are the streams that have something to send and a window for it,
	// but wait for the connection's, or for the socket; the next in turn first.
	blocked    []*Stream
	waits      atomic.Int64 // how much all streams have waiting; written under mu
	lent       atomic.Int64 // server: by how much windows of others have grown to fill its streams
	sweeping   bool         // waitMax was exceeded at the last sweep
	recvWindow int64
	first      int64 // with which the peer's side of a stream begins
	announced  int64 // what it is to be
	settled    bool  // the peer knows
	unreturned int64 // received, and no credit given back yet
	held       int64 // received, and not consumed
	// headersHeld is the size of the header lists that open streams came with.
	headersHeld int
	resets      resetRing

	goingAway   bool   // no new streams: we said so (server) or were told so (client)
	saidGoodbye bool   // the last GOAWAY is sent
	lastID      uint32 // server: the last stream taken before it
	closeIdle   bool   // close when no stream is left
	shut        bool   // say goodbye when everything is written

	greeted chan struct{}  // closed when the peer's settings have come, or with the end
	work    sync.WaitGroup // the reading and the writing goroutine
}

// peerSettings are the limits that the peer has set.
type peerSettings struct {
	seen         bool
	maxStreams   uint32
	streamWindow int64
	frameSize    int
	headerList   int64 // as RFC 9113, 6.5.2 counts
}

// NewServer starts serving an accepted connection.
func NewServer(nc net.Conn, c Config) *Conn { return start(nc, c, true) }

// NewClient starts a client on a connection that was just made. Streams can be
// opened at once.
func NewClient(nc net.Conn, c Config) *Conn { return start(nc, c, false) }

func start(nc net.Conn, config Config, server bool) *Conn {
	if config.MaxStreams == 0 {
		config.MaxStreams = DefaultMaxStreams
	}
	c := &Conn{
		config: config, server: server, socket: newSocket(nc),
		streams:    map[uint32]*Stream{},
		peer:       peerSettings{maxStreams: initialPeerStreams, streamWindow: initialWindow, frameSize: frameMax, headerList: math.MaxInt64},
		sendWindow: initialWindow, recvWindow: ConnWindow,
		greeted: make(chan struct{}),
	}
	c.first = int64(c.firstWindow())
	c.announced = c.first
	c.input = newInput(c)
	c.framer = http2.NewFramer(&c.out, c.input)
	c.framer.SetMaxReadFrameSize(frameMax)
	c.framer.SetReuseFrames()
	c.encoder = hpack.NewEncoder(&c.block)
	c.decoder = hpack.NewDecoder(headerTable, c.header.emit)
	if server { // a client reads on and discards, up to discardMax
		c.decoder.SetMaxStringLength(MaxHeaderBytes)
	}
	c.floods.began = time.Now()
	c.readAt.Store(c.floods.began.UnixNano())
	if !server {
		c.nextID = 1
		_, _ = c.out.Write([]byte(http2.ClientPreface))
	}
	c.greet()
	c.queued = uint64(c.out.Len())
	c.work.Go(c.read)
	return c
}

// Greeted waits until the peer has sent its settings, the first thing that it
// says: only then is it known to be alive, and to speak HTTP/2.
func (c *Conn) Greeted(ctx context.Context) error {
	select {
	case <-c.greeted:
		return c.Err()
	case <-ctx.Done():
		return fmt.Errorf("wait for the peer's settings: %w", ctx.Err())
	}
}

// Active returns the number of open streams.
func (c *Conn) Active() int { return int(c.active.Load()) }

// ReadAt returns when the peer was last heard.
func (c *Conn) ReadAt() time.Time { return time.Unix(0, c.readAt.Load()) }

// Addr returns the peer's address.
func (c *Conn) Addr() net.Addr { return c.socket.nc.RemoteAddr() }

// Err returns why the connection is over, nil while it is not.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Usable says whether a client can open another stream now.
func (c *Conn) Usable() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.usable()
}

func (c *Conn) usable() error {
	switch {
	case c.err != nil:
		return ErrClosed
	case c.goingAway:
		return ErrDraining
	case len(c.streams) >= int(c.peer.maxStreams):
		return ErrTooManyStreams
	}
	return nil
}

// Ping asks the peer for a sign of life, which moves ReadAt.
func (c *Conn) Ping(b *Batch) {
	c.mu.Lock()
	c.put(func() error { return c.framer.WritePing(false, [8]byte{'a', 'l', 'i', 'v', 'e'}) })
	c.mu.Unlock()
	b.add(c)
}

// Drain ends the connection in good order: the peer is told to open no more
// streams, those under way go on, and after the last the connection closes.
func (c *Conn) Drain() {
	var b Batch
	c.mu.Lock()
	if c.err == nil && !c.closeIdle {
		c.closeIdle = true
		if c.server {
			// In two steps, because streams may be on their way already: first
			// a warning, and when the peer must have seen it, the end (RFC
			// 9113, 6.8).
			c.put(func() error { return c.framer.WriteGoAway(maxStreamID, http2.ErrCodeNo, nil) })
			c.put(func() error { return c.framer.WritePing(false, goodbyePing) })
		} else {
			c.goingAway = true
		}
		c.finishIdle()
	}
	c.mu.Unlock()
	b.add(c)
	b.Flush()
}

// goodbyePing comes back when the peer has seen the first GOAWAY.
var goodbyePing = [8]byte{'g', 'o', 'o', 'd', 'b', 'y', 'e'}

// goodbye is the second step of Drain.
func (c *Conn) goodbye() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closeIdle || !c.server || c.saidGoodbye || c.err != nil {
		return
	}
	c.goingAway, c.saidGoodbye, c.lastID = true, true, c.nextID
	c.put(func() error { return c.framer.WriteGoAway(c.lastID, http2.ErrCodeNo, nil) })
	c.finishIdle()
}

// finishIdle closes a draining connection that has no streams. c.mu is held.
func (c *Conn) finishIdle() {
	if c.closeIdle && c.err == nil && len(c.streams) == 0 && (!c.server || c.saidGoodbye) {
		c.shut = true // once everything is flushed
		c.sweeping = false
	}
}
