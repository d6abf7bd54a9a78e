package method

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"

	"breakbank/loadgen/transport"
)

const (
	// dataMaxBytes bounds the text of data, and what one call sends.
	dataMaxBytes = 64 << 20
	// samplesMax is how many requests of a template are tried before the run
	// where each has to go through protojson.
	samplesMax = 1000
	// triedMaxBytes bounds what is rendered to try a template.
	triedMaxBytes = 32 << 20
)

// DataOptions are what templates draw from. The seed is that of the schedule
// that is performed (Schedule.Drawn).
type DataOptions struct {
	// Table is what {{.CSV "column"}} takes a column of.
	Table *Table
	// RandomRows has each request draw its row; otherwise the rows come in turn
	// and begin again.
	RandomRows bool
	// Worker is {{.Worker}}: the number of the process, from 0.
	Worker int
}

// Data is what a method is called with. It is not changed, and may be shared.
type Data struct {
	method *Method
	// messages are the data's, encoded, each with its prefix, if none has a
	// template.
	messages [][]byte
	// template is set otherwise.
	template *dataTemplate
	// digest is of what it was made from: its text, and the rows it may take from.
	digest [sha256.Size]byte
}

// Static says that the data has no templates: all calls share its bytes.
func (d *Data) Static() bool { return d.template == nil }

// ReadArgument is the text of a flag: itself, or what the file says that "@file"
// names.
func ReadArgument(arg string) ([]byte, error) {
	if path, ok := strings.CutPrefix(arg, "@"); ok {
		return readFile(path, dataMaxBytes)
	}
	return []byte(arg), nil
}

// ParseData reads JSON as protojson does: one message, an array of messages, or
// several one after the other. A call that streams sends them all; calls that
// send one take them in turn. No text is the empty message.
//
// A text with {{…}} is a template that gives such JSON, for each request anew.
// It is tried before it is accepted, so that what cannot work is refused here.
func ParseData(m *Method, text string, o DataOptions) (*Data, error) {
	if len(text) > dataMaxBytes {
		return nil, fmt.Errorf("data of more than %d MB", dataMaxBytes>>20)
	}
	if strings.TrimSpace(text) == "" {
		text = "{}"
	}
	d := &Data{method: m, digest: digestOf(text, &o)}
	if hasTemplate(text) {
		var err error
		if d.template, err = newDataTemplate(m, text, &o); err != nil {
			return nil, fmt.Errorf("data of %s: %w", m.FullName(), err)
		}
		return d, nil
	}
	e := newEncoder(m)
	nodes, err := e.nodes([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("data of %s: %w", m.FullName(), err)
	}
	for i := range nodes {
		message, err := e.appendPrefixed(nil, nodes, i)
		if err != nil {
			return nil, fmt.Errorf("data of %s: %w", m.FullName(), err)
		}
		d.messages = append(d.messages, message)
	}
	return d, nil
}

// BinaryData is one message in the form in which it is sent.
func BinaryData(m *Method, raw []byte) (*Data, error) {
	if len(raw) > dataMaxBytes {
		return nil, fmt.Errorf("data of more than %d MB", dataMaxBytes>>20)
	}
	if err := proto.Unmarshal(raw, dynamicpb.NewMessage(m.input)); err != nil {
		return nil, fmt.Errorf("the binary data is not a %s: %s", m.input.FullName(), plain(err))
	}
	message, err := transport.AppendMessage(nil, func(b []byte) ([]byte, error) { return append(b, raw...), nil })
	return &Data{method: m, messages: [][]byte{message}, digest: sha256.Sum256(raw)}, err
}

// nodes reads the messages of a text.
func (e *encoder) nodes(text []byte) ([]node, error) {
	nodes, err := parseJSON(text)
	if err != nil {
		return nil, err
	}
	if len(nodes) == 1 && nodes[0].kind == '[' && !isArray(string(e.input.FullName())) {
		nodes = nodes[0].items
	}
	if len(nodes) == 0 {
		return nil, errors.New("there is no message in it; the empty message is {}")
	}
	return nodes, nil
}

// isArray says that JSON may write a single message of this name as an array.
func isArray(name string) bool {
	return name == "google.protobuf.ListValue" || name == "google.protobuf.Value"
}

// appendPrefixed appends one of several messages with gRPC's prefix.
func (e *encoder) appendPrefixed(dst []byte, nodes []node, i int) ([]byte, error) {
	dst, err := transport.AppendMessage(dst, func(b []byte) ([]byte, error) { return e.appendMessage(b, &nodes[i]) })
	if err != nil && len(nodes) > 1 {
		err = fmt.Errorf("message %d: %w", i, err)
	}
	return dst, err
}

// shared is what all calls send if that is the same, with requests messages a
// stream; see JourneyOptions. Data of several messages for a call that sends one
// is one request each, in turn.
func (d *Data) shared(requests int) ([][]byte, error) {
	if !d.method.ClientStreaming {
		return d.messages, nil
	}
	if requests == 0 {
		requests = len(d.messages)
	}
	total := 0
	for i := range requests {
		if total += len(d.messages[i%len(d.messages)]); total > dataMaxBytes {
			return nil, tooMuch(requests)
		}
	}
	var b bytes.Buffer
	b.Grow(total)
	for i := range requests {
		b.Write(d.messages[i%len(d.messages)])
	}
	return [][]byte{b.Bytes()}, nil
}

func tooMuch(requests int) error {
	return fmt.Errorf("a stream of %d messages is more than the %d MB that one call may send", requests, dataMaxBytes>>20)
}
