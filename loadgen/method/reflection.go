package method

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

const (
	// reflectionLimit bounds the whole conversation with a server's reflection.
	reflectionLimit = 20 * time.Second
	// reflectionAnswerMaxBytes bounds one answer, reflectionMaxBytes all files
	// together, and reflectionFilesMax how many they are.
	reflectionAnswerMaxBytes = 32 << 20
	reflectionMaxBytes       = 64 << 20
	reflectionFilesMax       = 10_000
)

// reflectionServices are the versions of server reflection, the newest first.
// Their messages are the same, byte for byte (grpc/doc/server-reflection.md).
var reflectionServices = [...]string{"grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"}

// reflected asks a server for the files that describe methods.
func reflected(ctx context.Context, s *Source, wanted []name) (*protoregistry.Files, error) {
	if err := Reach(ctx, *s); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, reflectionLimit)
	defer cancel()
	conn, err := s.dial()
	if err != nil {
		return nil, fmt.Errorf("%s: %s", s.Target, plain(err))
	}
	defer conn.Close()
	if s.Metadata != nil {
		ctx = metadata.NewOutgoingContext(ctx, s.Metadata.outgoing())
	}
	a := asker{ctx: ctx, conn: conn, files: map[string]*descriptorpb.FileDescriptorProto{}}
	if err := a.askAll(wanted); err != nil {
		return nil, s.located(refusal(err))
	}
	files := make([]*descriptorpb.FileDescriptorProto, 0, len(a.files))
	for _, f := range a.files {
		files = append(files, f)
	}
	linked, err := link(files)
	if err != nil {
		return nil, s.located(err)
	}
	return linked, nil
}

func (s *Source) dial() (*grpc.ClientConn, error) {
	secure := insecure.NewCredentials()
	if s.TLS != nil {
		secure = credentials.NewTLS(s.TLS)
	}
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(secure),
		// As the load goes: to this address, through no proxy, tried once.
		grpc.WithNoProxy(), grpc.WithDisableServiceConfig(), grpc.WithDisableRetry(),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(reflectionAnswerMaxBytes)),
	}
	if s.Authority != "" {
		options = append(options, grpc.WithAuthority(s.Authority))
	}
	return grpc.NewClient("passthrough:///"+s.Target, options...)
}

// refusal is why a server did not answer, in one line.
func refusal(err error) error {
	st, ok := status.FromError(err)
	if !ok {
		return err
	}
	switch st.Code() {
	case codes.Unimplemented:
		return errors.New("it offers no server reflection: pass --proto")
	case codes.Unauthenticated, codes.PermissionDenied:
		return fmt.Errorf("its reflection refused: %v: %s (pass what it asks for as metadata, or --proto)", st.Code(), oneLine(st.Message()))
	case codes.DeadlineExceeded, codes.Canceled:
		return fmt.Errorf("its reflection has not answered in time (%v): pass --proto", st.Code())
	}
	return fmt.Errorf("its reflection failed: %v: %s", st.Code(), oneLine(st.Message()))
}

// asker is a conversation with a server's reflection.
type asker struct {
	ctx   context.Context
	conn  *grpc.ClientConn
	files map[string]*descriptorpb.FileDescriptorProto
	bytes int
	// stream has one question and one answer at a time.
	stream grpc.BidiStreamingClient[reflectionv1.ServerReflectionRequest, reflectionv1.ServerReflectionResponse]
}

// askAll gathers the files of all services and of what these import.
func (a *asker) askAll(wanted []name) error {
	if err := a.begin(wanted[0]); err != nil {
		return err
	}
	defer a.end()
	for _, w := range wanted {
		if err := a.askService(w); err != nil {
			return err
		}
	}
	return a.askImports()
}

// begin finds the version that the server speaks.
func (a *asker) begin(first name) (err error) {
	description := &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}
	for _, service := range reflectionServices {
		var s grpc.ClientStream
		if s, err = a.conn.NewStream(a.ctx, description, "/"+service+"/ServerReflectionInfo"); err != nil {
			continue
		}
		a.stream = &grpc.GenericClientStream[reflectionv1.ServerReflectionRequest, reflectionv1.ServerReflectionResponse]{ClientStream: s}
		if _, err = a.ask(symbol(first.service)); status.Code(err) != codes.Unimplemented {
			return err
		}
	}
	return err
}

// end lets the server finish.
func (a *asker) end() {
	if a.stream.CloseSend() == nil {
		_, _ = a.stream.Recv() // io.EOF, or it is over anyway
	}
}

func symbol(name string) *reflectionv1.ServerReflectionRequest {
	return &reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: name}}
}

// ask asks one question. A question that the server cannot answer gives an
// answer too, which says so.
func (a *asker) ask(question *reflectionv1.ServerReflectionRequest) (*reflectionv1.ServerReflectionResponse, error) {
	if err := a.stream.Send(question); err != nil {
		// What ended the stream is what Recv says.
		if _, ended := a.stream.Recv(); ended != nil {
			err = ended
		}
		return nil, err
	}
	return a.stream.Recv()
}

// askService asks for the file with a service.
func (a *asker) askService(wanted name) error {
	answer, err := a.ask(symbol(wanted.service))
	if err != nil {
		return err
	}
	if refused := answer.GetErrorResponse(); refused != nil {
		there, err := a.askNames()
		if err != nil {
			return err
		}
		if slices.Contains(there, wanted.service) {
			return fmt.Errorf("its reflection does not describe %s: %s: pass --proto", wanted.service, oneLine(refused.GetErrorMessage()))
		}
		return noService(wanted, there)
	}
	return a.take(answer)
}

// askNames asks which services there are.
func (a *asker) askNames() (names []string, err error) {
	answer, err := a.ask(&reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{}})
	if err != nil {
		return nil, err
	}
	for _, s := range answer.GetListServicesResponse().GetService() {
		if !slices.Contains(reflectionServices[:], s.GetName()) {
			names = append(names, s.GetName())
		}
	}
	return names, nil
}

// take keeps the files of an answer.
func (a *asker) take(answer *reflectionv1.ServerReflectionResponse) error {
	encoded := answer.GetFileDescriptorResponse().GetFileDescriptorProto()
	if len(encoded) == 0 {
		return errors.New("its reflection answered without a file: pass --proto")
	}
	for _, e := range encoded {
		f := &descriptorpb.FileDescriptorProto{}
		if err := proto.Unmarshal(e, f); err != nil {
			return fmt.Errorf("its reflection answered with what is no file: %s", plain(err))
		}
		if a.files[f.GetName()] != nil {
			continue
		}
		a.files[f.GetName()] = f
		if a.bytes += len(e); a.bytes > reflectionMaxBytes || len(a.files) > reflectionFilesMax {
			return fmt.Errorf("its descriptors are more than %d MB or %d files: pass --proto", reflectionMaxBytes>>20, reflectionFilesMax)
		}
	}
	return nil
}

// askImports asks for imported files until none is missing. Some servers do not
// serve all of them, the well-known types above all: those are known here. What
// is still missing then is left out; it matters only to fields of its types.
func (a *asker) askImports() error {
	asked := map[string]bool{}
	for {
		missing := a.missing(asked)
		if len(missing) == 0 {
			return nil
		}
		for _, path := range missing {
			asked[path] = true
			if strings.HasPrefix(path, "google/protobuf/") {
				if f, err := protoregistry.GlobalFiles.FindFileByPath(path); err == nil {
					a.files[path] = protodesc.ToFileDescriptorProto(f)
					continue
				}
			}
			answer, err := a.ask(&reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_FileByFilename{FileByFilename: path}})
			if err != nil {
				return err
			}
			if answer.GetErrorResponse() == nil {
				if err := a.take(answer); err != nil {
					return err
				}
			}
		}
	}
}

func (a *asker) missing(asked map[string]bool) (paths []string) {
	for _, f := range a.files {
		for _, path := range f.GetDependency() {
			if a.files[path] == nil && !asked[path] && !slices.Contains(paths, path) {
				paths = append(paths, path)
			}
		}
	}
	slices.Sort(paths)
	return paths
}
