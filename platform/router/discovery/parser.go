package discovery

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
)

// Parser says what a record means. Parse gets an Endpoints object as it was
// on the wire.
type Parser struct {
	Name, About string
	Parse       func(record json.RawMessage) (Entry, error)
}

// Parsers is every parser there is.
var Parsers = []Parser{linkerd2017, linkerd2018}

// ParserNames lists the parsers in table order.
func ParserNames() []string {
	names := make([]string, len(Parsers))
	for i, p := range Parsers {
		names[i] = p.Name
	}
	return names
}

// ParserByName finds a parser.
func ParserByName(name string) (Parser, error) {
	for _, p := range Parsers {
		if p.Name == name {
			return p, nil
		}
	}
	return Parser{}, fmt.Errorf("parser %q is not one of %v", name, ParserNames())
}

// ErrNullSubsets is what the parser of 2017 throws on a Service scaled to
// zero (linkerd#1219).
var ErrNullSubsets = errors.New("subsets is null")

// endpointsRecord is the part of a Kubernetes Endpoints object that routers
// read. It is not k8s.io/api's type, because that type cannot tell null,
// absent and empty apart, which is what the outage hung on.
type endpointsRecord struct {
	Metadata struct {
		Name            string `json:"name"`
		ResourceVersion string `json:"resourceVersion"`
	} `json:"metadata"`
	Subsets *[]recordSubset `json:"subsets"`
}

// recordSubset is a set of instances that listen on the same ports.
type recordSubset struct {
	Addresses []struct {
		IP        string `json:"ip"`
		TargetRef *struct {
			Name string `json:"name"`
		} `json:"targetRef"`
	} `json:"addresses"`
	Ports []struct {
		Port int `json:"port"`
	} `json:"ports"`
}

// recordName reads as much of a record as says whose it is. It returns "" for
// one that does not even say that.
func recordName(record json.RawMessage) string {
	var named struct {
		Metadata struct {
			Name string `json:"name"`
		} `json:"metadata"`
	}
	if json.Unmarshal(record, &named) != nil {
		return ""
	}
	return named.Metadata.Name
}

func parseRecord(record json.RawMessage) (endpointsRecord, error) {
	var r endpointsRecord
	if err := json.Unmarshal(record, &r); err != nil {
		return r, fmt.Errorf("not an Endpoints object: %w", err)
	}
	if r.Metadata.Name == "" {
		return r, errors.New("an Endpoints object without a name")
	}
	return r, nil
}

func (r endpointsRecord) entry() (Entry, error) {
	e := Entry{Service: r.Metadata.Name}
	if v := r.Metadata.ResourceVersion; v != "" {
		revision, err := strconv.ParseInt(v, 10, 64)
		if err != nil {
			return Entry{}, fmt.Errorf("resourceVersion %q is no revision", v)
		}
		e.Revision = revision
	}
	if r.Subsets == nil {
		return e, nil
	}
	for _, subset := range *r.Subsets {
		for _, address := range subset.Addresses {
			for _, port := range subset.Ports {
				ep := Endpoint{Addr: net.JoinHostPort(address.IP, strconv.Itoa(port.Port))}
				if address.TargetRef != nil {
					ep.Instance = address.TargetRef.Name
				}
				e.Endpoints = append(e.Endpoints, ep)
			}
		}
	}
	return e, nil
}
