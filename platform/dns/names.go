// Package dns is a small DNS server for the platform's Services, and the
// client that asks it. The server is fed from an API server, by the informer
// of client-go, as CoreDNS is; it answers SRV and A over UDP, in the names and
// with the times to live that Kubernetes uses.
//
// An instance is found by SRV, since on one machine it is the port that tells
// instances apart:
//
//	_grpc._tcp.ledger.default.svc.cluster.local.  SRV  0 1 12001 127-0-0-1-12001.ledger.default.svc.cluster.local.
//	127-0-0-1-12001.ledger.default.svc.cluster.local.  A  127.0.0.1
package dns

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"breakbank/platform/registry"
)

const (
	// TTL is how long an answer may be kept (CoreDNS as kubeadm configures it:
	// kubernetes plugin, ttl 30).
	TTL = 30 * time.Second
	// NegativeTTL is how long a no may be kept (CoreDNS cache plugin, the
	// least time for a denial, 5 s).
	NegativeTTL = 5 * time.Second

	// payloadBytes is the largest message over UDP that is sent without fear
	// of fragments (DNS Flag Day 2020: 1232). It holds about 13 instances; of
	// more, an answer has as many as fit, and says that it is truncated.
	payloadBytes = 1232
	// plainBytes is the largest for who does not say otherwise (RFC 1035,
	// 4.2.1).
	plainBytes = 512

	zone       = "cluster.local."
	portPrefix = "_grpc._tcp."
	suffix     = "." + registry.Namespace + ".svc." + zone
)

// serviceName is the name under which the instances of a service are found.
func serviceName(service string) string { return portPrefix + service + suffix }

// serviceOf is the service that a name asks for, "" if none.
func serviceOf(name string) string {
	service, ok := strings.CutSuffix(strings.ToLower(name), suffix)
	if !ok {
		return ""
	}
	if service, ok = strings.CutPrefix(service, portPrefix); !ok || strings.Contains(service, ".") {
		return ""
	}
	return service
}

// hostName is the name of an instance at an address.
func hostName(service, addr string) string {
	return strings.NewReplacer(".", "-", ":", "-").Replace(addr) + "." + service + suffix
}

// splitAddr takes an instance's address apart. Only IPv4 has A records.
func splitAddr(addr string) (ip [4]byte, port uint16, err error) {
	host, portText, err := net.SplitHostPort(addr)
	if err != nil {
		return ip, 0, fmt.Errorf("address %q: %w", addr, err)
	}
	four := net.ParseIP(host).To4()
	if four == nil {
		return ip, 0, fmt.Errorf("address %q is not IPv4", addr)
	}
	number, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return ip, 0, fmt.Errorf("address %q: %w", addr, err)
	}
	return [4]byte(four), uint16(number), nil
}

func header(name string, kind dnsmessage.Type, ttl time.Duration) (dnsmessage.ResourceHeader, error) {
	packed, err := dnsmessage.NewName(name)
	return dnsmessage.ResourceHeader{Name: packed, Type: kind, Class: dnsmessage.ClassINET, TTL: uint32(ttl / time.Second)}, err
}
