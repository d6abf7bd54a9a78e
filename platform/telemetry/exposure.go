package telemetry

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
)

// CheckExposure refuses, in one line, an address that others than this machine
// can reach when there is no token to ask them for. The address is host:port;
// an empty host is every interface.
func CheckExposure(addr, token string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("admin address %q: want HOST:PORT: %w", addr, err)
	}
	if token == "" && !isLoopback(host) {
		return fmt.Errorf("admin address %q can be reached by others and there is no token: listen on 127.0.0.1, or give a token file", addr)
	}
	return nil
}

// isLoopback says whether a host is this machine and nothing but this machine.
// No other name than localhost is believed: who answers for a name decides what
// it means.
func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// isLocalAuthority says whether a Host header or :authority, with or without a
// port, names this machine. A page that has its own name answered with
// 127.0.0.1 (DNS rebinding) still sends its own name.
func isLocalAuthority(authority string) bool {
	host, _, err := net.SplitHostPort(authority)
	if err != nil {
		host = strings.TrimSuffix(strings.TrimPrefix(authority, "["), "]")
	}
	return isLoopback(host)
}
