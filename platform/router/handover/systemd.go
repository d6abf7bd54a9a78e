package handover

import (
	"fmt"
	"net"
	"os"
)

// notifySocket is where systemd tells a service of Type=notify to report to
// (sd_notify(3)).
const notifySocket = "NOTIFY_SOCKET"

// Follow tells systemd, if that is who started this process, to follow another
// one from now on: else it would take the end of this one for the end of the
// service.
func Follow(pid int) error { return notify(fmt.Sprintf("MAINPID=%d", pid)) }

// notify tells systemd something of the service.
func notify(state string) error {
	socket := os.Getenv(notifySocket)
	if socket == "" {
		return nil
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("tell systemd: %w", err)
	}
	defer func() { _ = conn.Close() }() // it holds nothing back
	if _, err := conn.Write([]byte(state)); err != nil {
		return fmt.Errorf("tell systemd: %w", err)
	}
	return nil
}
