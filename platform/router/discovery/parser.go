package discovery

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"breakbank/platform/registry"
)

// Parser says what a record means. The zero Parser reads nothing; take one of
// Parsers.
type Parser struct {
	Name, About string
	// read makes an entry of what was found in a record.
	read func(record) (Entry, error)
	// home is the namespace whose services go by their bare names; "" is
	// registry.Namespace.
	home string
}

// Parsers is every parser there is.
var Parsers = []Parser{linkerd2017, linkerd2018}

// Parse reads an Endpoints object as it was on the wire. It finds out nobody's
// zone.
func (p Parser) Parse(wire json.RawMessage) (Entry, error) { return p.parse(wire, nil) }

func (p Parser) parse(wire json.RawMessage, zones *zones) (Entry, error) {
	r, err := readRecord(wire, zones)
	if err != nil {
		return Entry{}, fmt.Errorf("not an Endpoints object: %w", err)
	}
	if r.entry.Service = p.service(r.name, r.namespace); r.entry.Service == "" {
		return Entry{}, errors.New("an Endpoints object without a name")
	}
	return p.read(r)
}

// In returns the parser for a router at home in another namespace.
func (p Parser) In(namespace string) Parser {
	p.home = namespace
	return p
}

// service is the name by which callers know the service of a record: its own
// at home, name.namespace elsewhere, as in Kubernetes' DNS. A name with a dot,
// which no Service can have but any Endpoints object, is never left bare:
// "a.b" at home is not the "a" of namespace b.
func (p Parser) service(name, namespace string) string {
	home := p.home
	if home == "" {
		home = registry.Namespace
	}
	switch {
	case name == "" || namespace == "":
		return name
	case namespace == home && !strings.Contains(name, "."):
		return name
	}
	return name + "." + namespace
}

// serviceOf reads as much of a record as says whose it is. It returns "" for one
// that does not even say that.
func (p Parser) serviceOf(wire json.RawMessage) string {
	name, namespace, err := readName(wire)
	if err != nil {
		return ""
	}
	return p.service(name, namespace)
}

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
