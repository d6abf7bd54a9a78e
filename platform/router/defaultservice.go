package router

import (
	"net/netip"
	"strings"
)

// named finds the service that a caller means with its :authority, nil if the
// table has none. A caller that names no service at all, but the address it
// dialled, means the default service, where there is one.
//
// What could be a service's name is never taken for the default: a service
// that is gone from the table must not have its requests executed by another.
func (t *table) named(authority string) *service {
	if s := t.lookup(authority); s != nil || t.defaultService == "" || isServiceName(authority) {
		return s
	}
	return t.lookup(t.defaultService)
}

// isServiceName says whether an authority could be a service's name rather
// than an address: it has no port, is no IP address, and is not what gRPC sends
// for want of a name.
func isServiceName(authority string) bool {
	if authority == "" || authority == "localhost" || strings.Contains(authority, ":") {
		return false
	}
	_, err := netip.ParseAddr(authority)
	return err != nil
}
