package wire

import "time"

// What a connection may cost.
const (
	// StreamWindow is how much a peer may send on one stream before the owner
	// has consumed any of it.
	StreamWindow = 256 << 10
	// firstWindow is how much a server may send on a stream at first. It has
	// room for a message of 64 KiB. Each time half of the window is consumed it
	// doubles, up to StreamWindow: a stream that nobody reads never gets that
	// far.
	firstWindow = 96 << 10
	// ConnWindow is how much a peer may send on all streams before the
	// connection has returned any credit.
	ConnWindow = 4 << 20
	// heldMax bounds what was received from a client and not yet consumed;
	// beyond it no credit is returned. ConnWindow may still come on top. There
	// is no such bound on what a server sends, for many clients' streams share
	// its connection, and one that does not read would hold up the others.
	heldMax = 8 << 20
	// heldHigh is how much of what came from a server may not be consumed before
	// the windows of its streams begin at smallWindow, one frame, instead of
	// firstWindow. Below heldLow they are large again.
	heldHigh    = 16 << 20
	heldLow     = heldHigh / 4
	smallWindow = frameMax
	// waitMax is instead how much may wait for one client, on all its streams,
	// before the windows of those that fill them grow no further, and streams
	// that pass nothing on for writeStall are reset: 128 full windows.
	waitMax = 32 << 20
	// lentMax bounds by how much the windows of those that fill one client's
	// streams may have grown at a time, for all that may still come after
	// waitMax is exceeded. So what waits for a client is at most waitMax,
	// lentMax, and firstWindow for each stream, or smallWindow for those beyond
	// heldHigh.
	lentMax = 32 << 20

	// MaxHeaderBytes bounds a header list as RFC 9113 counts it (names, values
	// and 32 bytes each), and a header block as it is on the wire.
	MaxHeaderBytes = 64 << 10
	// discardMax bounds a header block from a server, of which no more than
	// MaxHeaderBytes is kept.
	discardMax = 1 << 20
	// headersMax bounds the header lists of a client's open streams together,
	// counted in the same way: 1.6 KiB for each of DefaultMaxStreams, three
	// times what gRPC's requests have.
	headersMax = 32 << 20
	// maxContinuations bounds the frames of a header block, for empty ones do
	// not add to its size.
	maxContinuations = 80 // discardMax in frames of frameMax, and some

	// DefaultMaxStreams bounds the streams that a peer may have open.
	DefaultMaxStreams = 20_000
	// initialPeerStreams is how many streams a client opens before it has seen
	// the server's limit (RFC 9113, 6.5.2 recommends to allow at least 100).
	initialPeerStreams = 100

	// frameMax is the largest frame taken and sent (RFC 9113, 6.5.2, default).
	frameMax = 16 << 10

	// outHigh is how much may wait for the socket before the data of streams
	// is left where it is.
	outHigh = 256 << 10
	// outMax is how much may wait in all: headers, resets and acknowledgements
	// are not under flow control. A peer that makes an endpoint owe it more
	// than that and does not read is cut off.
	outMax = 4 << 20
	// keptBuffer is the size of a buffer for the socket, as long as it is
	// enough, and pooledBuffer of the largest that is used again.
	keptBuffer   = 16 << 10
	pooledBuffer = 2 * outHigh

	// writeStall is how long a socket may take nothing at all.
	writeStall = 30 * time.Second
	// prefaceTimeout is how long a client may take for its first bytes.
	prefaceTimeout = 10 * time.Second
	// lingerTimeout is how long a connection that was ended in good order
	// waits for the peer's end.
	lingerTimeout = 2 * time.Second
	// refusalTimeout is how long a connection that the peer's errors have ended
	// stays open for the peer to read why (net/http's server waits as long
	// after a GOAWAY).
	refusalTimeout = 250 * time.Millisecond

	// readBuffer is how much is read at once: a few of the largest frames.
	readBuffer = 64 << 10
)

// Floods are frames that cost work and bring nothing: PING, SETTINGS,
// PRIORITY, resets, window updates, empty DATA, frames for streams long gone.
// In one second a peer may send floodFree of them, and floodPerUse for each
// frame that does bring something, in either direction: grpc-go probes the
// bandwidth with a PING for each burst of data and updates two windows for it.
const (
	floodFree   = 2000
	floodPerUse = 10
	floodWindow = time.Second
)

// Rapid resets (CVE-2023-44487): streams that a client opens and takes back at
// once. Deadlines and cancellations do that too, so what counts is being early
// and being most of what the client does. Envoy's overload protection is
// alike: 500 streams, more than half of them reset within a second
// (overload.premature_reset_total_stream_count, _min_stream_lifetime_seconds).
// Here the life is shorter, because callers with deadlines below a second are
// well-behaved. And what is too much is refused for the rest of the second,
// which costs little, because a well-behaved caller too comes to that when
// nobody answers. Streams refused are frames that bring nothing: who goes on at
// many times the rate floods.
const (
	rapidResets  = 1000
	rapidLife    = 50 * time.Millisecond
	rapidPercent = 50
)

// floods counts, in the window under way, what a peer does. The goroutine that
// reads is its only user.
type floods struct {
	began          time.Time
	sentAtTurn     int // frames sent before the window
	sentBefore     int // and before the last one: answers may take their time
	idle, useful   int
	opened, rapids int
}

func (f *floods) turn(now time.Time, sent int) {
	if now.Sub(f.began) >= floodWindow {
		*f = floods{began: now, sentAtTurn: sent, sentBefore: f.sentAtTurn}
	}
}

// tooMany says whether the peer has sent too much that brings nothing. sent is
// how many frames that bring something have ever been sent to it.
func (f *floods) tooMany(now time.Time, sent int) bool {
	f.turn(now, sent)
	return f.idle > floodFree+floodPerUse*(f.useful+sent-f.sentBefore)
}

// takenBack counts a stream that the peer took back after a while.
func (f *floods) takenBack(now time.Time, sent int, after time.Duration) {
	f.turn(now, sent)
	if after < rapidLife {
		f.rapids++
	}
}

// refuses says whether the peer may open no more streams in this window,
// because too many were taken back at once.
func (f *floods) refuses(now time.Time) bool {
	return f.rapids > rapidResets && f.rapids*100 > f.opened*rapidPercent && now.Sub(f.began) < floodWindow
}
