package router

import (
	"fmt"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
)

// message is one gRPC message as bytes. It holds a reference to its buffers
// until freed; the zero message is empty.
type message struct{ data mem.BufferSlice }

func (m *message) free() {
	m.data.Free()
	m.data = nil
}

// rawCodec hands messages through without looking into them.
type rawCodec struct{}

var _ encoding.CodecV2 = rawCodec{}

// Marshal lends the buffers to grpc, which frees what it was given after
// sending; the message keeps its own reference, so that it can be sent again.
func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	m, ok := v.(*message)
	if !ok {
		return nil, fmt.Errorf("raw codec: cannot marshal a %T", v)
	}
	m.data.Ref()
	return m.data, nil
}

// Unmarshal keeps the buffers that grpc frees when this returns.
func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	m, ok := v.(*message)
	if !ok {
		return fmt.Errorf("raw codec: cannot unmarshal into a %T", v)
	}
	data.Ref()
	m.data = data
	return nil
}

// Name is that of the codec whose bytes these are: it becomes the content
// type, which must not change on the way.
func (rawCodec) Name() string { return "proto" }
