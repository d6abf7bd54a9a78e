package discovery

import (
	"fmt"
	"strconv"
	"strings"

	"breakbank/platform/rawjson"
)

// record is what routers read of a Kubernetes Endpoints object. It is not read
// into k8s.io/api's type, because that type cannot tell null, absent and empty
// apart, which is what the outage hung on; and not by reflection, because every
// router of a cluster reads every change.
type record struct {
	name, namespace string
	// hasSubsets: `subsets` is there and not null.
	hasSubsets bool
	// entry is what the record means, less the service's name.
	entry Entry
}

// subset is a set of instances that listen on the same ports. Its texts lie in
// the record's.
type subset struct {
	addresses []subsetAddress
	ports     []subsetPort
}

type subsetAddress struct{ ip, instance, node, zone []byte }

type subsetPort struct {
	number int
	grpc   bool // it says so
	tcp    bool
}

// What is set aside for reading a record; a larger one takes more.
const (
	usualEndpoints = 16
	usualText      = 1024
)

// readRecord reads a record in one pass. zones is nil if nobody wants to know
// them.
func readRecord(wire []byte, zones *zones) (record, error) {
	var r record
	var version []byte
	endpoints := endpointList{text: make([]byte, 0, usualText), ends: make([]int, 0, 2*usualEndpoints), zones: zones}
	each := subset{addresses: make([]subsetAddress, 0, usualEndpoints)}
	s := rawjson.Scan(wire)
	err := s.Members(func(name []byte) error {
		switch string(name) {
		case "metadata":
			return readMetadata(&s, &r.name, &r.namespace, &version)
		case "subsets":
			r.hasSubsets = s.Next() != 'n'
			endpoints.reset()
			return s.Elements(func() error {
				each.addresses, each.ports = each.addresses[:0], each.ports[:0]
				if err := each.read(&s); err != nil {
					return err
				}
				endpoints.add(each)
				return nil
			})
		}
		return s.Skip()
	})
	if err == nil {
		err = s.End()
	}
	if err != nil {
		return record{}, err
	}
	if len(version) > 0 {
		if r.entry.Revision, err = strconv.ParseInt(string(version), 10, 64); err != nil {
			return record{}, fmt.Errorf("resourceVersion %q is no revision", version)
		}
	}
	r.entry.Endpoints = endpoints.strings()
	r.entry.lacking = endpoints.lacking(r.entry.Endpoints)
	return r, nil
}

// readName reads only whose a record is, of one that may be otherwise broken
// but is JSON.
func readName(wire []byte) (name, namespace string, err error) {
	var version []byte
	s := rawjson.Scan(wire)
	err = s.Members(func(member []byte) error {
		if string(member) == "metadata" {
			return readMetadata(&s, &name, &namespace, &version)
		}
		return s.Skip()
	})
	if err == nil {
		err = s.End()
	}
	return name, namespace, err
}

func readMetadata(s *rawjson.Scanner, name, namespace *string, version *[]byte) error {
	return s.Members(func(member []byte) (err error) {
		var text []byte
		switch string(member) {
		case "name":
			text, err = s.Text()
			*name = string(text)
		case "namespace":
			text, err = s.Text()
			*namespace = string(text)
		case "resourceVersion":
			*version, err = s.Text()
		default:
			err = s.Skip()
		}
		return err
	})
}

func (u *subset) read(s *rawjson.Scanner) error {
	return s.Members(func(name []byte) error {
		switch string(name) {
		case "addresses":
			return s.Elements(func() error { return u.readAddress(s) })
		case "ports":
			return s.Elements(func() error { return u.readPort(s) })
		}
		return s.Skip()
	})
}

func (u *subset) readAddress(s *rawjson.Scanner) error {
	var a subsetAddress
	err := s.Members(func(name []byte) (err error) {
		switch string(name) {
		case "ip":
			a.ip, err = s.Text()
		case "targetRef":
			err = s.Members(func(name []byte) (err error) {
				if string(name) != "name" {
					return s.Skip()
				}
				a.instance, err = s.Text()
				return err
			})
		case "nodeName":
			a.node, err = textIfAny(s)
		case "zone": // as endpoints in an EndpointSlice and a peer's table have it
			a.zone, err = textIfAny(s)
		default:
			err = s.Skip()
		}
		return err
	})
	u.addresses = append(u.addresses, a)
	return err
}

// textIfAny reads what nothing hangs on: what is not a text is passed over.
func textIfAny(s *rawjson.Scanner) ([]byte, error) {
	if s.Next() != '"' {
		return nil, s.Skip()
	}
	return s.Text()
}

func (u *subset) readPort(s *rawjson.Scanner) error {
	p := subsetPort{tcp: true}
	err := s.Members(func(name []byte) (err error) {
		var text []byte
		switch string(name) {
		case "port":
			p.number, err = s.Int()
		case "protocol":
			text, err = s.Text()
			p.tcp = len(text) == 0 || string(text) == "TCP"
		case "name", "appProtocol":
			text, err = s.Text()
			p.grpc = p.grpc || saysGRPC(string(text))
		default:
			err = s.Skip()
		}
		return err
	})
	u.ports = append(u.ports, p)
	return err
}

// saysGRPC recognises what Kubernetes and Istio call a port for gRPC: the
// appProtocol "grpc" or "kubernetes.io/h2c", the name "grpc" or "grpc-…"
// (istio.io, Protocol Selection).
func saysGRPC(text string) bool {
	return text == "grpc" || text == "kubernetes.io/h2c" || strings.HasPrefix(text, "grpc-")
}

// wanted says whether a port is one for requests. Of several, those that say
// that they are for gRPC stand for all: another may be for metrics.
func (u *subset) wanted(p subsetPort) bool {
	if !p.tcp {
		return false
	}
	for _, other := range u.ports {
		if other.grpc {
			return p.grpc
		}
	}
	return true
}

// endpointList collects endpoints and gives all their texts one piece of
// memory: a table of 10,000 addresses is then 1,000 pieces instead of 20,000.
type endpointList struct {
	text []byte
	ends []int // of address and instance in text, in turn

	// Only if somebody wants to know zones.
	zones *zones
	in    []string // each endpoint's zone
	lacks []lack
}

// lack is a node that is not known.
type lack struct {
	endpoint int
	node     string
}

func (l *endpointList) reset() {
	l.text, l.ends, l.in, l.lacks = l.text[:0], l.ends[:0], l.in[:0], l.lacks[:0]
}

func (l *endpointList) add(u subset) {
	for _, a := range u.addresses {
		for _, p := range u.ports {
			if !u.wanted(p) {
				continue
			}
			l.text = appendHostPort(l.text, a.ip, p.number)
			l.ends = append(l.ends, len(l.text))
			l.text = append(l.text, a.instance...)
			l.ends = append(l.ends, len(l.text))
			if l.zones != nil {
				l.locate(a)
			}
		}
	}
}

// locate says where the endpoint added last is.
func (l *endpointList) locate(a subsetAddress) {
	if l.in == nil {
		l.in = make([]string, 0, usualEndpoints)
	}
	zone, known := l.zones.of(a.node)
	if len(a.zone) > 0 {
		zone, known = l.zones.named(a.zone), true
	}
	if !known {
		l.lacks = append(l.lacks, lack{len(l.in), string(a.node)})
	}
	l.in = append(l.in, zone)
}

// lacking returns the nodes that are not known, by address.
func (l *endpointList) lacking(endpoints []Endpoint) map[string]string {
	if len(l.lacks) == 0 {
		return nil
	}
	nodes := make(map[string]string, len(l.lacks))
	for _, lack := range l.lacks {
		nodes[endpoints[lack.endpoint].Addr] = lack.node
	}
	return nodes
}

// appendHostPort is net.JoinHostPort.
func appendHostPort(text, host []byte, port int) []byte {
	ipv6 := false
	for _, c := range host {
		ipv6 = ipv6 || c == ':'
	}
	if ipv6 {
		text = append(text, '[')
	}
	text = append(text, host...)
	if ipv6 {
		text = append(text, ']')
	}
	text = append(text, ':')
	return strconv.AppendInt(text, int64(port), 10)
}

func (l *endpointList) strings() []Endpoint {
	if len(l.ends) == 0 {
		return nil
	}
	text := string(l.text)
	endpoints := make([]Endpoint, len(l.ends)/2)
	from := 0
	for i := range endpoints {
		addr, instance := l.ends[2*i], l.ends[2*i+1]
		endpoints[i] = Endpoint{Addr: text[from:addr], Instance: text[addr:instance]}
		if len(l.in) > 0 {
			endpoints[i].Zone = l.in[i]
		}
		from = instance
	}
	return endpoints
}
