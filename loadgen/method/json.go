package method

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// depthMax bounds how deep JSON may be nested, as protojson does by default at
// 10,000; no message of a load is near.
const depthMax = 200

// nodesMax bounds how many values JSON may have: each takes some 200 bytes here.
const nodesMax = 1_000_000

var errTooMany = fmt.Errorf("it has more than %d values", nodesMax)

var errTooDeep = fmt.Errorf("it is nested more than %d deep", depthMax)

// node is a value of JSON, in the order in which it was written.
type node struct {
	kind   byte   // '{', '[', '"', '0' for a number, 't' for true and false, 'n' for null
	text   string // of a string, unquoted; of a number or a word, as written
	fields []member
	items  []node
	line   int // where it stands in a file of journeys, from 1
	// of a template's values; see plan.go
	pieces  []piece
	bare    bool // not in quotes
	dynamic bool // here or below
}

type member struct {
	name  string
	value node
}

// parseJSON reads all values of a text, one after the other.
func parseJSON(text []byte) ([]node, error) { return parseUpTo(text, nodesMax) }

func parseUpTo(text []byte, limit int) ([]node, error) {
	if !utf8.Valid(text) {
		return nil, errors.New("it is not UTF-8 text")
	}
	r := jsonReader{Decoder: json.NewDecoder(bytes.NewReader(text)), text: text, line: 1, left: limit}
	r.UseNumber()
	var all []node
	for {
		n, err := r.node(0)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if errors.Is(err, errTooDeep) || errors.Is(err, errTooMany) {
			return nil, err
		}
		if err != nil {
			return nil, misplaced(text, r.Decoder, err)
		}
		all = append(all, n)
	}
}

// jsonReader reads values and counts lines.
type jsonReader struct {
	*json.Decoder
	text []byte
	read int64
	line int
	left int // values that it may still have
}

func (d *jsonReader) node(depth int) (node, error) {
	t, err := d.Token()
	if err != nil {
		return node{}, err
	}
	if depth > depthMax {
		return node{}, errTooDeep
	}
	if d.left--; d.left < 0 {
		return node{}, errTooMany
	}
	read := d.InputOffset()
	d.line += bytes.Count(d.text[d.read:read], []byte{'\n'})
	d.read = read
	switch t := t.(type) {
	case string:
		return node{kind: '"', text: t, line: d.line}, nil
	case json.Number:
		return node{kind: '0', text: string(t), line: d.line}, nil
	case bool:
		return node{kind: 't', text: fmt.Sprint(t), line: d.line}, nil
	case nil:
		return node{kind: 'n', text: "null", line: d.line}, nil
	case json.Delim:
		n := node{kind: byte(t), line: d.line}
		for d.More() {
			var m member
			if t == '{' {
				name, err := d.Token()
				if err != nil {
					return n, unended(err)
				}
				m.name = name.(string)
			}
			if m.value, err = d.node(depth + 1); err != nil {
				return n, unended(err)
			}
			if t == '{' {
				n.fields = append(n.fields, m)
			} else {
				n.items = append(n.items, m.value)
			}
		}
		_, err := d.Token()
		return n, unended(err)
	}
	return node{}, fmt.Errorf("unexpected %v", t)
}

// unended is the error of a text that ends within a value.
func unended(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// misplaced says where JSON goes wrong.
func misplaced(text []byte, d *json.Decoder, err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("it is not JSON: it ends too early (is a brace or a quote missing?)")
	}
	// After the last good token, and what stands between it and the next. The
	// offset of a json.SyntaxError means something else here.
	at := int(d.InputOffset())
	for at < len(text) && strings.IndexByte(" \t\r\n,:", text[at]) >= 0 {
		at++
	}
	before := text[:at]
	line := 1 + bytes.Count(before, []byte{'\n'})
	column := 1 + utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])
	return fmt.Errorf("it is not JSON: line %d, column %d: %s", line, column, strings.TrimPrefix(plain(err), "json: "))
}

// appendJSON writes a node that has no templates in it.
func (n *node) appendJSON(dst []byte) []byte {
	switch n.kind {
	case '"':
		return appendQuoted(dst, n.text)
	case '{':
		dst = append(dst, '{')
		for i := range n.fields {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendQuoted(dst, n.fields[i].name), ':')
			dst = n.fields[i].value.appendJSON(dst)
		}
		return append(dst, '}')
	case '[':
		dst = append(dst, '[')
		for i := range n.items {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = n.items[i].appendJSON(dst)
		}
		return append(dst, ']')
	}
	return append(dst, n.text...)
}

// appendQuoted writes a string in quotes.
func appendQuoted(dst []byte, text string) []byte {
	w := limited{dst, len(dst) + 6*len(text) + 16}
	e := json.NewEncoder(&w)
	e.SetEscapeHTML(false)
	if err := e.Encode(text); err != nil {
		panic(fmt.Sprintf("a string cannot be written as JSON: %v", err)) // It can.
	}
	return bytes.TrimSuffix(w.b, []byte{'\n'})
}

// what names a node's kind for an error.
func (n *node) what() string {
	switch n.kind {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case 'n':
		return "null"
	}
	const showMax = 40
	text := string(n.appendJSON(nil))
	if len(text) > showMax {
		text = strings.ToValidUTF8(text[:showMax], "") + "…"
	}
	return text
}
