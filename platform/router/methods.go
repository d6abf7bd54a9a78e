package router

import (
	"strings"
	"sync"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// methods remembers which methods are known to be unary: those whose
// descriptor is linked into this binary and says so. They are carried without
// a second goroutine. Any other method may stream either way at any time and
// is carried full duplex; nothing on the wire tells them apart beforehand.
//
// It holds no more than there are linked methods.
type methods struct {
	unary sync.Map // full method → struct{}

	// duplexOnly carries every method full duplex, as if none were known.
	duplexOnly bool
}

func (m *methods) isUnary(full string) bool {
	if m.duplexOnly {
		return false
	}
	if _, known := m.unary.Load(full); known {
		return true
	}
	service, method, ok := strings.Cut(strings.TrimPrefix(full, "/"), "/")
	if !ok {
		return false
	}
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(service))
	if err != nil {
		return false
	}
	s, ok := d.(protoreflect.ServiceDescriptor)
	if !ok {
		return false
	}
	md := s.Methods().ByName(protoreflect.Name(method))
	if md == nil || md.IsStreamingClient() || md.IsStreamingServer() {
		return false
	}
	m.unary.Store(full, struct{}{})
	return true
}
