package discovery

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// ParseSeed reads a table from YAML. file is what it is called in errors, one
// for each thing that is wrong.
func ParseSeed(file string, data []byte) (Addresses, error) {
	r := seedReader{file: file, table: Addresses{}}
	document, err := parser.ParseBytes(data, 0)
	if err != nil {
		var syntax yaml.Error
		if errors.As(err, &syntax) && syntax.GetToken() != nil {
			return nil, fmt.Errorf("%s:%d: %s", file, syntax.GetToken().Position.Line, syntax.GetMessage())
		}
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if len(document.Docs) != 1 || document.Docs[0].Body == nil {
		return nil, fmt.Errorf("%s: want one document with the key services", file)
	}
	r.document(document.Docs[0].Body)
	if err := errors.Join(r.refused...); err != nil {
		return nil, err
	}
	return r.table, nil
}

// seedReader gathers a table, and what is wrong with it.
type seedReader struct {
	file    string
	table   Addresses
	refused []error
}

func (r *seedReader) refuse(at ast.Node, wrong string, args ...any) {
	r.refused = append(r.refused, fmt.Errorf("%s:%d: "+wrong, append([]any{r.file, at.GetToken().Position.Line}, args...)...))
}

func (r *seedReader) document(body ast.Node) {
	fields, ok := r.mapping(body, "want services: {name: [host:port, ...]}")
	if !ok {
		return
	}
	var services ast.Node
	for _, field := range fields {
		if key := keyOf(field); key != "services" {
			r.refuse(field.Key, "unknown key %q; valid: services", key)
			continue
		}
		services = field.Value
	}
	if services == nil {
		if len(r.refused) == 0 {
			r.refuse(body, "there is no key services")
		}
		return
	}
	entries, ok := r.mapping(services, "services: want name: [host:port, ...]")
	if !ok {
		return
	}
	for _, entry := range entries {
		r.service(entry)
	}
}

func (r *seedReader) service(entry *ast.MappingValueNode) {
	name := keyOf(entry)
	if name == "" || strings.ContainsAny(name, " \t/") {
		r.refuse(entry.Key, "service %q: no :authority can be that", name)
	}
	list, ok := entry.Value.(*ast.SequenceNode)
	if !ok {
		r.refuse(entry.Key, "service %q: want a list of host:port", name)
		return
	}
	addresses := make([]string, 0, len(list.Values))
	taken := map[string]bool{}
	for _, value := range list.Values {
		address := addressOf(value)
		if _, _, err := splitAddress(address); err != nil {
			r.refuse(value, "service %q: %v", name, err)
			continue
		}
		if taken[address] {
			r.refuse(value, "service %q: %s is there twice", name, address)
		}
		taken[address] = true
		addresses = append(addresses, address)
	}
	r.table[name] = addresses
}

func (r *seedReader) mapping(node ast.Node, want string) ([]*ast.MappingValueNode, bool) {
	switch node := node.(type) {
	case *ast.MappingNode:
		return node.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{node}, true
	}
	r.refuse(node, "%s", want)
	return nil, false
}

func keyOf(entry *ast.MappingValueNode) string {
	if key, ok := entry.Key.(ast.Node); ok {
		return scalarOf(key)
	}
	return ""
}

// addressOf is an address as it was written. Inside braces the parser takes
// host:port for a mapping of host to port, though YAML wants a space there.
func addressOf(node ast.Node) string {
	if pair, ok := node.(*ast.MappingNode); ok && !pair.IsFlowStyle && len(pair.Values) == 1 {
		return keyOf(pair.Values[0]) + ":" + scalarOf(pair.Values[0].Value)
	}
	return scalarOf(node)
}

// scalarOf is a scalar as it was written, or "" for what is none.
func scalarOf(node ast.Node) string {
	switch node := node.(type) {
	case *ast.StringNode:
		return node.Value
	case *ast.MappingNode, *ast.MappingValueNode, *ast.SequenceNode, *ast.NullNode:
		return ""
	}
	return node.GetToken().Value
}
