//go:build !linux

package fault

import "net"

// socketEstablished falls back, where the kernel's TCP state is not at hand,
// on whether this side still holds the socket open and has a peer.
func socketEstablished(conn net.Conn) bool {
	tcp, ok := conn.(*net.TCPConn)
	if !ok || tcp.RemoteAddr() == nil {
		return false
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return false
	}
	return raw.Control(func(uintptr) {}) == nil
}
