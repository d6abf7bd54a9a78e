package router

import (
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// setUserTimeout gives a connection up when its bytes are not acknowledged for
// that long (TCP_USER_TIMEOUT, RFC 5482).
func setUserTimeout(nc net.Conn, d time.Duration) {
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		return
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return // it is closed
	}
	_ = raw.Control(func(fd uintptr) {
		// Without it the connection lives longer, and nothing else changes.
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(d.Milliseconds()))
	})
}
