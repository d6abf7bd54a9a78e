package method

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"

	"google.golang.org/protobuf/reflect/protoregistry"
)

// Source says where methods are described.
type Source struct {
	// Target is the host:port that is asked, by server reflection.
	Target string
	// TLS, if not nil, is spoken to the target.
	TLS *tls.Config
	// Authority is whom the calls are for; empty stands for the target.
	Authority string
	// Metadata goes with the question too, since some servers answer only those
	// whom they know. Templates in it are filled in as for the first request.
	Metadata *Metadata
	// Protos are .proto files. If there are any, the target is not asked.
	Protos []string
	// ImportPaths are the directories in which the files and their imports are
	// looked for; if there are none, the working directory and each file's own.
	ImportPaths []string
}

// Resolve finds a method by its name, "package.Service/Method" or
// "package.Service.Method". Its errors are one line each and say what is there
// instead.
func Resolve(ctx context.Context, s Source, methodName string) (*Method, error) {
	methods, err := ResolveAll(ctx, s, []string{methodName})
	if err != nil {
		return nil, err
	}
	return methods[0], nil
}

// ResolveAll finds several methods at once, in the order of their names.
func ResolveAll(ctx context.Context, s Source, methodNames []string) ([]*Method, error) {
	if len(methodNames) == 0 {
		return nil, errors.New("no method is named: say package.Service/Method")
	}
	wanted := make([]name, len(methodNames))
	for i := range methodNames {
		var err error
		if wanted[i], err = parseName(methodNames[i]); err != nil {
			return nil, err
		}
	}
	files, err := s.files(ctx, wanted)
	if err != nil {
		return nil, err
	}
	methods := make([]*Method, len(wanted))
	for i := range wanted {
		if methods[i], err = find(files, wanted[i]); err != nil {
			return nil, s.located(err)
		}
	}
	return methods, nil
}

func (s *Source) files(ctx context.Context, wanted []name) (*protoregistry.Files, error) {
	if len(s.Protos) > 0 {
		return compile(ctx, s.Protos, s.ImportPaths)
	}
	if s.Target == "" {
		return nil, errors.New("nothing describes the method: name a target that offers reflection, or pass --proto")
	}
	return reflected(ctx, s, wanted)
}

// located says where something was looked for.
func (s *Source) located(err error) error {
	if len(s.Protos) > 0 {
		return fmt.Errorf("%s: %w", near("", s.Protos), err)
	}
	return fmt.Errorf("%s: %w", s.Target, err)
}
