package loadgen

import (
	_ "embed"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"

	"google.golang.org/protobuf/proto"

	testpb "google.golang.org/grpc/interop/grpc_testing"

	"breakbank/loadgen/transport"
)

const (
	service = "grpc.testing.TestService"
	method  = "UnaryCall"
	// bodyBytes is the payload of a request: a message of a few fields.
	bodyBytes = 64
)

// testProto describes the method to ghz: the null server has no reflection.
//
//go:embed test.proto
var testProto []byte

// files are what generators are given: the same request for each, in the form
// that it takes.
type files struct {
	// proto and body are paths: of the description, and of the request as it is
	// on the wire.
	proto, body string
	// json is the request as text.
	json string
}

// request is what is sent with each call, as it is on the wire.
func request() ([]byte, error) {
	message := &testpb.SimpleRequest{Payload: &testpb.Payload{Body: make([]byte, bodyBytes)}}
	return transport.AppendMessage(nil, func(b []byte) ([]byte, error) {
		return proto.MarshalOptions{}.MarshalAppend(b, message)
	})
}

// writeFiles makes the files in a directory.
func writeFiles(dir string) (files, error) {
	body, err := request()
	if err != nil {
		return files{}, fmt.Errorf("make the request: %w", err)
	}
	f := files{
		proto: filepath.Join(dir, "test.proto"), body: filepath.Join(dir, "request.bin"),
		json: fmt.Sprintf(`{"payload":{"body":%q}}`, base64.StdEncoding.EncodeToString(make([]byte, bodyBytes))),
	}
	for _, file := range []struct {
		path string
		text []byte
	}{{f.proto, testProto}, {f.body, body}} {
		if err := os.WriteFile(file.path, file.text, 0o600); err != nil {
			return files{}, fmt.Errorf("write what generators are given: %w", err)
		}
	}
	return f, nil
}
