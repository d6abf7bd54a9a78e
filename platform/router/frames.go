package router

import (
	"errors"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2/hpack"

	"breakbank/platform/wire"
)

const (
	// maxCallers bounds the connections of callers.
	maxCallers = 10_000
	// acceptPause keeps a socket that fails (too many open files) from
	// spinning.
	acceptPause = 10 * time.Millisecond
	// callerTimeout and instanceTimeout are how long bytes may stay
	// unacknowledged before a connection is given up. On Linux a peer whose
	// window is closed counts as well, and a caller may pause its reading; an
	// instance that does is not well (grpc-go's keepalive timeout, on which a
	// raw-codec router relies, is as long).
	callerTimeout   = 30 * time.Second
	instanceTimeout = 5 * time.Second
)

// frames is the data plane that forwards HTTP/2 frames. Each request is an
// exchange, which joins a stream of the caller's connection to one of an
// instance's. There is no goroutine a request: what comes in on a connection
// is passed on by the goroutine that read it, and only a request that must
// wait, for a table or for a connection, gets one of its own meanwhile.
type frames struct {
	router  *Router
	callers callers
	// waiting are goroutines of requests that wait. They are begun for requests
	// under way, and waited for once there are none.
	waiting   sync.WaitGroup
	waiters   atomic.Int64
	kept      atomic.Int64   // bytes of requests, for other attempts
	dialling  sync.WaitGroup // begun for requests too
	instances instances
}

func newFrames(r *Router) dataPlane {
	return &frames{
		router:    r,
		callers:   callers{open: map[*wire.Conn]struct{}{}, none: make(chan struct{})},
		instances: instances{open: map[*wire.Conn]struct{}{}},
	}
}

// callers are the connections of those who ask.
type callers struct {
	mu       sync.Mutex
	listener net.Listener
	open     map[*wire.Conn]struct{}
	draining bool
	none     chan struct{} // closed when draining and none is left
	gone     bool
}

func (f *frames) serve(l net.Listener) error {
	if !f.callers.listen(l) {
		return nil
	}
	for {
		nc, err := l.Accept()
		switch {
		case err == nil:
			f.accept(nc)
		case errors.Is(err, net.ErrClosed) || f.callers.ended():
			return nil
		case isTemporary(err):
			time.Sleep(acceptPause)
		default:
			return err //nolint:wrapcheck // the router says what it was doing
		}
	}
}

// isTemporary says whether a listener may accept again after an error.
func isTemporary(err error) bool {
	var temporary interface{ Temporary() bool }
	return errors.As(err, &temporary) && temporary.Temporary()
}

// accept takes a caller's connection.
func (f *frames) accept(nc net.Conn) {
	f.callers.mu.Lock()
	defer f.callers.mu.Unlock()
	if f.callers.draining || len(f.callers.open) >= maxCallers {
		_ = nc.Close() // nothing was asked yet
		return
	}
	setUserTimeout(nc, callerTimeout)
	c := wire.NewServer(nc, wire.Config{Handler: (*callerSide)(f)})
	f.callers.open[c] = struct{}{}
	f.router.counters.connections.Add(1)
}

func (f *frames) drain() {
	for _, c := range f.callers.close() {
		c.Drain()
	}
	<-f.callers.none
	f.waiting.Wait()
}

func (f *frames) stop() {
	for _, c := range f.callers.close() {
		c.Close()
	}
	<-f.callers.none
	f.waiting.Wait()
	f.router.table.close()
	f.dialling.Wait()
	f.instances.close()
}

// listen notes the listener, unless all is over before it began.
func (c *callers) listen(l net.Listener) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.draining {
		_ = l.Close() // it was never used
		return false
	}
	c.listener = l
	return true
}

func (c *callers) ended() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.draining
}

// close takes no more connections and returns those there are.
func (c *callers) close() []*wire.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.draining && c.listener != nil {
		_ = c.listener.Close() // it may be closed already
	}
	c.draining = true
	c.checkNone()
	open := make([]*wire.Conn, 0, len(c.open))
	for conn := range c.open {
		open = append(open, conn)
	}
	return open
}

func (c *callers) checkNone() {
	if c.draining && len(c.open) == 0 && !c.gone {
		c.gone = true
		close(c.none)
	}
}

// instances are the connections to those who answer, those that take no more
// requests included.
type instances struct {
	mu   sync.Mutex
	open map[*wire.Conn]struct{}
}

// add notes a connection that was just made. It may have ended already.
func (i *instances) add(c *wire.Conn) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if c.Err() == nil {
		i.open[c] = struct{}{}
	}
}

func (i *instances) remove(c *wire.Conn) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.open, c)
}

// close ends them all. Nobody makes another any more.
func (i *instances) close() {
	i.mu.Lock()
	open := slices.Collect(maps.Keys(i.open))
	i.mu.Unlock()
	for _, c := range open {
		c.Close()
	}
}

// callerSide is told what callers send.
type callerSide frames

func (f *callerSide) Headers(b *wire.Batch, s *wire.Stream, fields []hpack.HeaderField, end bool) {
	if x, ok := s.User.(*exchange); ok {
		// Trailers of a request: gRPC has none, their end is what counts.
		x.fromCaller(b, nil, end)
		return
	}
	newExchange((*frames)(f), s, fields, end).begin(b)
}

func (f *callerSide) Data(b *wire.Batch, s *wire.Stream, p []byte, end bool) {
	if x, ok := s.User.(*exchange); ok {
		x.fromCaller(b, p, end)
	}
}

func (f *callerSide) Ended(b *wire.Batch, s *wire.Stream, _ wire.Ending) {
	if x, ok := s.User.(*exchange); ok {
		x.callerGone(b)
	}
}

func (f *callerSide) Sent(b *wire.Batch, s *wire.Stream, n int) {
	if x, ok := s.User.(*exchange); ok {
		x.passedToCaller(b, n)
	}
}

func (f *callerSide) Draining(*wire.Conn) {}

func (f *callerSide) Closed(c *wire.Conn, _ error) {
	f.callers.mu.Lock()
	defer f.callers.mu.Unlock()
	delete(f.callers.open, c)
	f.router.counters.connections.Add(-1)
	f.callers.checkNone()
}

// asked is what a stream to an instance is for: an exchange, or a probe.
type asked interface {
	headersFromInstance(b *wire.Batch, s *wire.Stream, fields []hpack.HeaderField, end bool)
	dataFromInstance(b *wire.Batch, s *wire.Stream, p []byte, end bool)
	attemptBroke(b *wire.Batch, s *wire.Stream, why wire.Ending)
	passedToInstance(b *wire.Batch, s *wire.Stream, n int)
}

// instanceSide is told what instances send, on the connections of one pool.
type instanceSide struct{ pool *pool }

func (i instanceSide) Headers(b *wire.Batch, s *wire.Stream, fields []hpack.HeaderField, end bool) {
	s.User.(asked).headersFromInstance(b, s, fields, end)
}

func (i instanceSide) Data(b *wire.Batch, s *wire.Stream, p []byte, end bool) {
	s.User.(asked).dataFromInstance(b, s, p, end)
}

func (i instanceSide) Ended(b *wire.Batch, s *wire.Stream, why wire.Ending) {
	s.User.(asked).attemptBroke(b, s, why)
}

func (i instanceSide) Sent(b *wire.Batch, s *wire.Stream, n int) {
	s.User.(asked).passedToInstance(b, s, n)
}

func (i instanceSide) Draining(c *wire.Conn) { i.pool.forget(c) }

func (i instanceSide) Closed(c *wire.Conn, _ error) {
	i.pool.forget(c)
	i.pool.plane.instances.remove(c)
}
