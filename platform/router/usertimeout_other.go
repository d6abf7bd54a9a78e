//go:build !linux

package router

import (
	"net"
	"time"
)

// setUserTimeout does nothing where the system has no such limit: a dead
// connection is then found by TCP's own keepalive.
func setUserTimeout(net.Conn, time.Duration) {}
