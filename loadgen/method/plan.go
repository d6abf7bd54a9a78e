package method

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"breakbank/loadgen/transport"
)

// plan is a template made ready: the bytes of what never changes, and between
// them what to append for each value. It has no part in text/template, JSON or
// reflection when a request is made.
//
//	{"card": {"number": "{{.CSV "card"}}", "kind": "DEBIT"}, "amount": {{.Random 1 100}}}
//
//	1: message {                      card
//	   3: DEBIT                       (bytes)
//	   1: string, column "card"
//	}
//	2: varint, Random 1 100           amount
type plan struct{ messages []appender }

var (
	// errNotPlanned is what a plan says of a value that it does not know how to
	// write, such as "1e3" for a whole number: protojson shall decide.
	errNotPlanned = errors.New("not planned")
	// errNoPlan is for data that cannot be planned at all.
	errNoPlan = errors.New("no plan")
)

// Marks stand for values in the JSON that is planned: a private-use character,
// the number of the piece, and another. Data that has such characters itself is
// not planned.
const (
	markQuoted, markBare, markEnd = '\ue000', '\ue001', '\ue002'
	marks                         = string(markQuoted) + string(markBare) + string(markEnd)
)

// newPlan makes a plan of a template, or nil where one cannot be made.
func newPlan(e *encoder, p *parsed) *plan {
	pieces, ok := p.pieces()
	if !ok || wellKnown(e.input) {
		return nil
	}
	var text []byte
	within := false
	for i, piece := range pieces {
		switch {
		case piece.value == nil:
			if strings.ContainsAny(piece.literal, marks) || strings.Contains(piece.literal, `\ue00`) || strings.Contains(piece.literal, `\uE00`) {
				return nil
			}
			text = append(text, piece.literal...)
			within = stringsIn([]byte(piece.literal), within)
		case within:
			text = fmt.Appendf(text, "%c%d%c", markQuoted, i, markEnd)
		default:
			text = fmt.Appendf(text, `"%c%d%c"`, markBare, i, markEnd)
		}
	}
	nodes, err := e.nodes(text)
	if err != nil {
		return nil
	}
	made := &plan{}
	for i := range nodes {
		if !nodes[i].find(pieces) {
			return nil
		}
		m, err := e.planMessage(e.input, &nodes[i])
		if err != nil {
			return nil
		}
		made.messages = append(made.messages, m)
	}
	return made
}

// find puts the pieces where their marks are, and notes what is dynamic. It
// says no where a mark is where none may be.
func (n *node) find(pieces []piece) bool {
	for i := range n.fields {
		m := &n.fields[i]
		if strings.ContainsAny(m.name, marks) || !m.value.find(pieces) {
			return false
		}
		n.dynamic = n.dynamic || m.value.dynamic
	}
	for i := range n.items {
		if !n.items[i].find(pieces) {
			return false
		}
		n.dynamic = n.dynamic || n.items[i].dynamic
	}
	if n.kind != '"' {
		return true
	}
	for rest := n.text; rest != ""; {
		at := strings.IndexAny(rest, marks)
		if at < 0 {
			n.pieces = append(n.pieces, piece{literal: rest})
			break
		}
		if at > 0 {
			n.pieces = append(n.pieces, piece{literal: rest[:at]})
		}
		var mark, end rune
		var which int
		if _, err := fmt.Sscanf(rest[at:], "%c%d%c", &mark, &which, &end); err != nil || end != markEnd {
			return false
		}
		n.dynamic, n.bare = true, n.bare || mark == markBare
		n.pieces = append(n.pieces, pieces[which])
		_, rest, _ = strings.Cut(rest, string(markEnd))
	}
	return true
}

// planMessage plans an object: what never changes first, the rest in order.
func (e *encoder) planMessage(d protoreflect.MessageDescriptor, n *node) (appender, error) {
	if n.kind != '{' {
		return nil, errNoPlan
	}
	fixed := node{kind: '{'}
	var parts []appender
	given := map[protoreflect.Name]bool{} // fields and oneofs; of each there is one
	for i := range n.fields {
		m := &n.fields[i]
		if f := fieldNamed(d, m.name); f != nil {
			name := f.Name()
			if of := f.ContainingOneof(); of != nil {
				name = of.Name()
			}
			if given[name] {
				return nil, errNoPlan
			}
			given[name] = true
		}
		if !m.value.dynamic {
			fixed.fields = append(fixed.fields, *m)
			continue
		}
		f := fieldNamed(d, m.name)
		if f == nil || f.Kind() == protoreflect.GroupKind {
			return nil, errNoPlan
		}
		part, err := e.planField(d, f, m)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part...)
	}
	always, err := e.fixed(d, &fixed)
	if err != nil {
		return nil, err
	}
	return sequence(append([]appender{always}, parts...)), nil
}

// fixed plans what never changes.
func (e *encoder) fixed(d protoreflect.MessageDescriptor, n *node) (appender, error) {
	m := dynamicpb.NewMessage(d)
	options := protojson.UnmarshalOptions{Resolver: e.json.Resolver, RecursionLimit: depthMax, AllowPartial: true}
	if err := options.Unmarshal(n.appendJSON(nil), m); err != nil {
		return nil, errNoPlan
	}
	always, err := proto.MarshalOptions{Deterministic: true, AllowPartial: true}.Marshal(m)
	if err != nil {
		return nil, errNoPlan
	}
	return func(_ *values, dst []byte) ([]byte, error) { return append(dst, always...), nil }, nil
}

func sequence(parts []appender) appender {
	return func(v *values, dst []byte) (_ []byte, err error) {
		for _, p := range parts {
			if dst, err = p(v, dst); err != nil {
				return dst, err
			}
		}
		return dst, nil
	}
}

// planField plans a field: one value, or the elements of a list or map.
func (e *encoder) planField(d protoreflect.MessageDescriptor, f protoreflect.FieldDescriptor, m *member) ([]appender, error) {
	var parts []appender
	add := func(part appender, err error) error {
		parts = append(parts, part)
		return err
	}
	switch {
	case f.IsMap():
		if m.value.kind != '{' {
			return nil, errNoPlan
		}
		for i := range m.value.fields {
			entry := &m.value.fields[i]
			if !entry.value.dynamic {
				single := node{kind: '{', fields: []member{{m.name, node{kind: '{', fields: []member{*entry}}}}}
				if err := add(e.fixed(d, &single)); err != nil {
					return nil, err
				}
				continue
			}
			if f.MapKey().Kind() != protoreflect.StringKind {
				return nil, errNoPlan
			}
			key := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), entry.name)
			value, err := e.planValue(f.MapValue(), &entry.value)
			if err != nil {
				return nil, err
			}
			parts = append(parts, delimited(f.Number(), func(v *values, dst []byte) ([]byte, error) {
				return value(v, append(dst, key...))
			}))
		}
		return parts, nil
	case f.IsList():
		if m.value.kind != '[' {
			return nil, errNoPlan
		}
		for i := range m.value.items {
			item := &m.value.items[i]
			if !item.dynamic {
				single := node{kind: '{', fields: []member{{m.name, node{kind: '[', items: []node{*item}}}}}
				if err := add(e.fixed(d, &single)); err != nil {
					return nil, err
				}
			} else if err := add(e.planValue(f, item)); err != nil {
				return nil, err
			}
		}
		return parts, nil
	}
	err := add(e.planValue(f, &m.value))
	return parts, err
}

// planValue plans one value with its tag.
func (e *encoder) planValue(f protoreflect.FieldDescriptor, n *node) (appender, error) {
	if f.Kind() != protoreflect.MessageKind {
		return planScalar(f, n)
	}
	var within appender
	var err error
	if wellKnown(f.Message()) {
		within, err = planWellKnown(f.Message(), n)
	} else {
		within, err = e.planMessage(f.Message(), n)
	}
	if err != nil {
		return nil, err
	}
	return delimited(f.Number(), within), nil
}

// delimited is a field of bytes: a tag, how many they are, and the bytes.
func delimited(number protoreflect.FieldNumber, within appender) appender {
	tag := protowire.AppendTag(nil, number, protowire.BytesType)
	return func(v *values, dst []byte) ([]byte, error) {
		// Nearly always the length takes one byte; where it takes more, what
		// follows moves.
		dst = append(append(dst, tag...), 0)
		start := len(dst)
		dst, err := within(v, dst)
		if err != nil {
			return dst, err
		}
		n := uint64(len(dst) - start)
		if n < 0x80 {
			dst[start-1] = byte(n)
			return dst, nil
		}
		more := protowire.SizeVarint(n) - 1
		dst = append(dst, "123456789"[:more]...)
		copy(dst[start+more:], dst[start:len(dst)-more])
		protowire.AppendVarint(dst[:start-1], n)
		return dst, nil
	}
}

// appendRequest appends what one request sends, as dataTemplate's does.
func (p *plan) appendRequest(v *values, dst []byte, stream bool, requests int) ([]byte, error) {
	if !stream {
		return p.appendMessage(v, dst, v.seq%len(p.messages))
	}
	if requests == 0 {
		requests = len(p.messages)
	}
	for sent := range requests {
		which := sent % len(p.messages)
		v.message = sent - which
		var err error
		if dst, err = p.appendMessage(v, dst, which); err != nil {
			return dst, err
		}
		if len(dst) > dataMaxBytes {
			return dst, tooMuch(requests)
		}
	}
	return dst, nil
}

func (p *plan) appendMessage(v *values, dst []byte, which int) ([]byte, error) {
	return transport.AppendMessage(dst, func(b []byte) ([]byte, error) { return p.messages[which](v, b) })
}

// agrees says that the plan gives what text/template and protojson give, for the
// first requests. A plan that does not is a defect; then there is none.
func (t *dataTemplate) agrees(v *values) bool {
	const tried, enoughBytes = 8, 1 << 20
	given := 0
	for v.seq = 0; v.seq < tried && given < enoughBytes; v.seq++ {
		v.begin(forData)
		slow, err := t.appendSlowly(v, nil, true, 0)
		if err != nil {
			return false // The slow way says why.
		}
		given += len(slow)
		v.begin(forData)
		fast, err := t.plan.appendRequest(v, nil, true, 0)
		if errors.Is(err, errNotPlanned) {
			continue
		}
		if err != nil || !t.encoder.same(fast, slow) {
			return false
		}
	}
	return true
}

// same compares messages with prefixes.
func (e *encoder) same(a, b []byte) bool {
	for len(a) > 0 && len(b) > 0 {
		var one, other []byte
		if one, a = cutMessage(a); one == nil {
			return false
		}
		if other, b = cutMessage(b); other == nil {
			return false
		}
		x, y := dynamicpb.NewMessage(e.input), dynamicpb.NewMessage(e.input)
		if proto.Unmarshal(one, x) != nil || proto.Unmarshal(other, y) != nil || !proto.Equal(x, y) {
			return false
		}
	}
	return bytes.Equal(a, b)
}

// cutMessage takes the first message off, without its prefix; nil says that
// there is no whole one.
func cutMessage(b []byte) (message, rest []byte) {
	if len(b) < transport.PrefixBytes {
		return nil, nil
	}
	n := int(b[1])<<24 | int(b[2])<<16 | int(b[3])<<8 | int(b[4])
	if b = b[transport.PrefixBytes:]; n > len(b) {
		return nil, nil
	}
	return b[:n:n], b[n:]
}
