package router

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc"
)

// upload takes what the caller sends and passes it to the attempt under way.
// Until an attempt has answered it keeps the messages, so that the next one can
// have them too.
type upload struct {
	in         grpc.ServerStream
	repeatable bool
	settled    atomic.Bool // the attempt under way is the last

	mu       sync.Mutex
	attached *sync.Cond        // out is set, or the request is over
	out      grpc.ClientStream // of the attempt under way; nil between attempts
	kept     []message
	bytes    int
	lossy    bool // something was sent and is not kept
	ended    bool // the caller has sent everything
	over     bool // the request is done
}

func newUpload(in grpc.ServerStream, repeatable bool) *upload {
	u := &upload{in: in, repeatable: repeatable}
	u.attached = sync.NewCond(&u.mu)
	return u
}

// run ends when the caller has sent everything, or with the request: grpc
// then fails RecvMsg.
func (u *upload) run() {
	for {
		var m message
		err := u.in.RecvMsg(&m)
		if !u.pass(m, err) {
			return
		}
	}
}

// pass sends on what was received, as soon as there is an attempt to send it
// to; until then the caller is not read further. It reports whether there can
// be more.
func (u *upload) pass(m message, err error) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.ended = errors.Is(err, io.EOF)
	for u.out == nil && !u.over {
		u.attached.Wait()
	}
	switch {
	case u.over:
		m.free()
		return false
	case u.ended:
		_ = u.out.CloseSend() // it never fails
		return false
	case err != nil:
		return false // the caller is gone, and its context ends the attempt
	}
	// An error is that of the stream's RecvMsg too, which ends the attempt.
	_ = u.out.SendMsg(&m)
	u.keep(m)
	return true
}

func (u *upload) keep(m message) {
	size := m.data.Len()
	// The first message is kept whatever its size: most requests have no other.
	if u.settled.Load() || u.lossy || (len(u.kept) > 0 && u.bytes+size > replayBytes) {
		u.lossy = true
		u.forget()
		m.free()
		return
	}
	u.kept = append(u.kept, m)
	u.bytes += size
}

// attach begins an attempt: what was sent so far, then what is to come.
func (u *upload) attach(out grpc.ClientStream) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for i := range u.kept {
		_ = out.SendMsg(&u.kept[i])
	}
	if u.ended {
		_ = out.CloseSend()
	}
	u.out = out
	u.attached.Broadcast()
}

// detach ends an attempt; sent says that it reached a connection. It reports
// whether another attempt could have everything that this one had.
func (u *upload) detach(sent bool) (replayable bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.out = nil
	if sent && !u.repeatable {
		u.lossy = true
	}
	return !u.lossy
}

// settle says that there will be no other attempt: nothing is kept any more.
// It must not wait for the lock, which is held while a message waits for the
// server to read on, and the server may wait for its answer to be read.
func (u *upload) settle() {
	u.settled.Store(true)
	if u.mu.TryLock() {
		u.lossy = true
		u.forget()
		u.mu.Unlock()
	}
}

// close ends the request: nothing is kept any more.
func (u *upload) close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.over, u.out = true, nil
	u.forget()
	u.attached.Broadcast()
}

func (u *upload) forget() {
	for i := range u.kept {
		u.kept[i].free()
	}
	u.kept, u.bytes = nil, 0
}
