package method

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// parseFile reads a file of YAML or JSON, which becomes the same either way:
// whatever is JSON is read as JSON.
func parseFile(file string, text []byte) (*node, error) {
	if json.Valid(text) || strings.HasSuffix(file, ".json") {
		nodes, err := parseJSON(text)
		switch {
		case err != nil:
			return nil, fmt.Errorf("%s: %w", file, err)
		case len(nodes) == 0:
			return nil, fmt.Errorf("%s: it is empty", file)
		case len(nodes) > 1:
			return nil, fmt.Errorf("%s: it holds %d values: one is read", file, len(nodes))
		}
		return &nodes[0], nil
	}
	f, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, notYAML(file, text, err)
	}
	if len(f.Docs) == 1 && f.Docs[0].Body != nil {
		r := yamlReader{file}
		return r.node(f.Docs[0].Body, 0)
	}
	if len(f.Docs) > 1 {
		return nil, fmt.Errorf("%s: it holds %d documents: leave the --- out", file, len(f.Docs))
	}
	return nil, fmt.Errorf("%s: it is empty", file)
}

// notYAML says where a file goes wrong.
func notYAML(file string, text []byte, err error) error {
	var at yaml.Error
	if !errors.As(err, &at) {
		return fmt.Errorf("%s: it is not YAML: %s", file, plain(err))
	}
	line, hint := at.GetToken().Position.Line, ""
	if lines := bytes.Split(text, []byte{'\n'}); line <= len(lines) && bytes.Contains(lines[line-1], []byte("{{")) {
		hint = " (write templates in quotes)"
	}
	return fmt.Errorf("%s:%d: it is not YAML: %s%s", file, line, at.GetMessage(), hint)
}

// yamlReader makes nodes of YAML.
type yamlReader struct{ file string }

func (r *yamlReader) node(y ast.Node, depth int) (*node, error) {
	line := y.GetToken().Position.Line
	if depth > depthMax {
		return nil, fmt.Errorf("%s:%d: %w", r.file, line, errTooDeep)
	}
	switch y := y.(type) {
	case *ast.StringNode:
		return &node{kind: '"', text: y.Value, line: line}, nil
	case *ast.LiteralNode:
		return &node{kind: '"', text: y.Value.Value, line: line}, nil
	case *ast.BoolNode:
		return &node{kind: 't', text: strconv.FormatBool(y.Value), line: line}, nil
	case *ast.NullNode:
		return &node{kind: 'n', text: "null", line: line}, nil
	case *ast.IntegerNode:
		return &node{kind: '0', text: fmt.Sprint(y.Value), line: line}, nil
	case *ast.FloatNode:
		return &node{kind: '0', text: strconv.FormatFloat(y.Value, 'g', -1, 64), line: line}, nil
	case *ast.InfinityNode:
		return &node{kind: '"', text: strings.TrimPrefix(strings.ReplaceAll(fmt.Sprint(y.Value), "Inf", "Infinity"), "+"), line: line}, nil
	case *ast.NanNode:
		return &node{kind: '"', text: "NaN", line: line}, nil
	case *ast.SequenceNode:
		n := &node{kind: '[', line: line}
		for _, v := range y.Values {
			item, err := r.node(v, depth+1)
			if err != nil {
				return nil, err
			}
			n.items = append(n.items, *item)
		}
		return n, nil
	case *ast.MappingValueNode:
		return r.mapping([]*ast.MappingValueNode{y}, line, depth)
	case *ast.MappingNode:
		return r.mapping(y.Values, line, depth)
	}
	return nil, fmt.Errorf("%s:%d: %q: anchors, aliases, tags and merges are not read here", r.file, line, y.GetToken().Value)
}

func (r *yamlReader) mapping(values []*ast.MappingValueNode, line, depth int) (*node, error) {
	n := &node{kind: '{', line: line}
	for _, v := range values {
		key, err := r.node(v.Key, depth+1)
		if err == nil && (key.kind == '{' || key.kind == '[') {
			err = fmt.Errorf("%s:%d: a name cannot be %s", r.file, key.line, key.what())
		}
		if err != nil {
			return nil, err
		}
		value, err := r.node(v.Value, depth+1)
		if err != nil {
			return nil, err
		}
		n.fields = append(n.fields, member{key.text, *value})
	}
	return n, nil
}
