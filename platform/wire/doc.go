// Package wire carries gRPC over HTTP/2 cleartext as frames: one [Conn] is one
// connection, as its server or as its client. It serves the router's data
// plane and the load generator, which both move many small requests and must
// spend little on each. Frames and header compression are those of
// golang.org/x/net/http2; what is here is what RFC 9113 asks of an endpoint
// around them: streams, flow control, limits, errors.
//
// # How bytes move
//
//	             one goroutine a connection
//	socket ──> Framer ──> Handler ──> SendHeaders, SendData (any stream,
//	                                  any connection) ──> buffer ──┐
//	socket <── one write for all of it <── Batch.Flush <───────────┘
//
// A connection's goroutine reads frames and calls the [Handler]. What the
// handler sends is only appended to buffers; the connections written to are
// noted in the [Batch] that it is handed. Before the goroutine waits for more
// input the batch is flushed: each connection gets one write for everything
// that one read has led to. A write never waits. What a full socket does not
// take is left to a goroutine of that connection, which ends when it is done.
//
// # Flow control
//
// Receiving does not refill the window of a stream; [Stream.Consume] does,
// which the owner calls when the bytes have gone on to where they are going.
// So who reads slowly slows only whoever writes to that same stream. The
// window of the connection is refilled on receipt, for otherwise one slow
// stream would hold up all the others. What memory that may cost is bounded
// where the one is to blame who suffers by it: a client's window is not
// refilled while heldMax of what it sent is not consumed. What waits for a
// client that takes its time is bounded from the other end: the windows of the
// streams that fill its streams grow only while there is room
// ([Stream.ConsumeInto]), and new ones are small while too much is held.
//
// # What a peer can do
//
// Everything that a peer can make an endpoint hold or do is bounded
// (limits.go). Who breaks the protocol gets the error code that RFC 9113
// names, and only its own stream or connection ends.
package wire
