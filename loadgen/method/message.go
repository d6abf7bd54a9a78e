package method

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"

	"breakbank/loadgen/transport"
)

// encoder makes messages of a method's input out of JSON, as protojson does.
type encoder struct {
	input protoreflect.MessageDescriptor
	json  protojson.UnmarshalOptions
}

func newEncoder(m *Method) encoder {
	return encoder{m.input, protojson.UnmarshalOptions{Resolver: resolver{dynamicpb.NewTypes(m.files)}, RecursionLimit: depthMax}}
}

// appendMessage appends the encoding of one message.
func (e *encoder) appendMessage(dst []byte, n *node) ([]byte, error) {
	m := dynamicpb.NewMessage(e.input)
	if err := e.json.Unmarshal(n.appendJSON(nil), m); err != nil {
		if clear := explain(e.input, n, ""); clear != nil {
			err = clear
		}
		return dst, fmt.Errorf("%s", withoutPosition(err))
	}
	return proto.MarshalOptions{Deterministic: true}.MarshalAppend(dst, m)
}

// appendWhole appends the message, with its prefix, that a text is from one end
// to the other.
func (e *encoder) appendWhole(dst, text []byte) ([]byte, error) {
	m := dynamicpb.NewMessage(e.input)
	if err := e.json.Unmarshal(text, m); err != nil {
		return dst, err
	}
	return transport.AppendMessage(dst, func(b []byte) ([]byte, error) {
		return proto.MarshalOptions{Deterministic: true}.MarshalAppend(b, m)
	})
}

// resolver knows the types that the method's files describe, for
// google.protobuf.Any and for extensions, and those that this program knows.
type resolver struct{ described *dynamicpb.Types }

// FindMessageByName implements protojson's resolver.
func (r resolver) FindMessageByName(name protoreflect.FullName) (protoreflect.MessageType, error) {
	if t, err := r.described.FindMessageByName(name); err == nil {
		return t, nil
	}
	return protoregistry.GlobalTypes.FindMessageByName(name)
}

// FindMessageByURL implements protojson's resolver.
func (r resolver) FindMessageByURL(url string) (protoreflect.MessageType, error) {
	if t, err := r.described.FindMessageByURL(url); err == nil {
		return t, nil
	}
	return protoregistry.GlobalTypes.FindMessageByURL(url)
}

// FindExtensionByName implements protojson's resolver.
func (r resolver) FindExtensionByName(name protoreflect.FullName) (protoreflect.ExtensionType, error) {
	return r.described.FindExtensionByName(name)
}

// FindExtensionByNumber implements protojson's resolver.
func (r resolver) FindExtensionByNumber(message protoreflect.FullName, field protoreflect.FieldNumber) (protoreflect.ExtensionType, error) {
	return r.described.FindExtensionByNumber(message, field)
}
