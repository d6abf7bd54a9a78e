package method

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

// Method is a gRPC method and the messages that it takes and gives. It is not
// changed, and may be shared.
type Method struct {
	// ClientStreaming and ServerStreaming say which side sends any number of
	// messages; the other sends one.
	ClientStreaming, ServerStreaming bool

	name  name
	input protoreflect.MessageDescriptor
	files *protoregistry.Files
}

// FullName is "pkg.Service/Method".
func (m *Method) FullName() string { return m.name.String() }

// Kind names who streams.
func (m *Method) Kind() string {
	switch {
	case m.ClientStreaming && m.ServerStreaming:
		return "bidirectional streaming"
	case m.ClientStreaming:
		return "client streaming"
	case m.ServerStreaming:
		return "server streaming"
	}
	return "unary"
}

// path is what a call asks for.
func (m *Method) path() string { return "/" + m.name.String() }

// find looks a method up among files.
func find(files *protoregistry.Files, wanted name) (*Method, error) {
	d, err := files.FindDescriptorByName(protoreflect.FullName(wanted.service))
	service, ok := d.(protoreflect.ServiceDescriptor)
	if err != nil || !ok {
		return nil, noService(wanted, services(files))
	}
	methods := service.Methods()
	m := methods.ByName(protoreflect.Name(wanted.method))
	if m == nil {
		var names []string
		for i := range methods.Len() {
			names = append(names, string(methods.Get(i).Name()))
		}
		if len(names) == 0 {
			return nil, fmt.Errorf("%s has no method %s: it has none at all", wanted.service, wanted.method)
		}
		return nil, fmt.Errorf("%s has no method %s; its methods are %s", wanted.service, wanted.method, near(wanted.method, names))
	}
	if m.Input().IsPlaceholder() {
		return nil, fmt.Errorf("%v takes a %s, which nothing describes", wanted, m.Input().FullName())
	}
	return &Method{
		ClientStreaming: m.IsStreamingClient(), ServerStreaming: m.IsStreamingServer(),
		name: wanted, input: m.Input(), files: files,
	}, nil
}

// noService is the error for a service that is not there.
func noService(wanted name, there []string) error {
	if len(there) == 0 {
		return fmt.Errorf("no service %s: there are no services at all", wanted.service)
	}
	return fmt.Errorf("no service %s; the services are %s", wanted.service, near(wanted.service, there))
}

func services(files *protoregistry.Files) (names []string) {
	files.RangeFiles(func(f protoreflect.FileDescriptor) bool {
		for i := range f.Services().Len() {
			names = append(names, string(f.Services().Get(i).FullName()))
		}
		return true
	})
	return names
}

// DescriptorSet is a FileDescriptorSet with all that FromDescriptorSet needs to
// find the method again, in another process.
func (m *Method) DescriptorSet() []byte { return DescriptorSetOf(m) }

// DescriptorSetOf is one set for several methods of one Source.
func DescriptorSetOf(methods ...*Method) []byte {
	var files []protoreflect.FileDescriptor
	for _, m := range methods {
		m.files.RangeFiles(func(f protoreflect.FileDescriptor) bool {
			files = append(files, f)
			return true
		})
	}
	slices.SortFunc(files, func(a, b protoreflect.FileDescriptor) int { return strings.Compare(a.Path(), b.Path()) })
	set := &descriptorpb.FileDescriptorSet{}
	for i, f := range files {
		if i == 0 || files[i-1].Path() != f.Path() {
			set.File = append(set.File, protodesc.ToFileDescriptorProto(f))
		}
	}
	encoded, err := proto.MarshalOptions{Deterministic: true}.Marshal(set)
	if err != nil {
		panic(fmt.Sprintf("descriptors that were decoded cannot be encoded: %v", err))
	}
	return encoded
}

// FromDescriptorSet finds a method in a FileDescriptorSet, with neither network
// nor files.
func FromDescriptorSet(set []byte, methodName string) (*Method, error) {
	wanted, err := parseName(methodName)
	if err != nil {
		return nil, err
	}
	var decoded descriptorpb.FileDescriptorSet
	if err := proto.Unmarshal(set, &decoded); err != nil {
		return nil, fmt.Errorf("the descriptors are not a FileDescriptorSet: %s", plain(err))
	}
	files, err := link(decoded.GetFile())
	if err != nil {
		return nil, err
	}
	return find(files, wanted)
}

// link makes files of descriptors, in whatever order these come.
func link(files []*descriptorpb.FileDescriptorProto) (*protoregistry.Files, error) {
	if len(files) == 0 {
		return nil, errors.New("there are no descriptors")
	}
	linked, err := protodesc.FileOptions{AllowUnresolvable: true}.NewFiles(&descriptorpb.FileDescriptorSet{File: files})
	if err != nil {
		return nil, fmt.Errorf("the descriptors make no sense: %s", plain(err))
	}
	return linked, nil
}
