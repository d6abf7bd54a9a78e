package method

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/reporter"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

const (
	// protoFilesMax bounds how many .proto files one compilation opens, and
	// protoFileMaxBytes how long each may be.
	protoFilesMax     = 10_000
	protoFileMaxBytes = 16 << 20
)

// compile makes descriptors of .proto files and all that they import. The
// well-known types need not be there.
func compile(ctx context.Context, protos, importPaths []string) (*protoregistry.Files, error) {
	if len(importPaths) == 0 {
		importPaths = []string{"."}
		for _, p := range protos {
			importPaths = append(importPaths, filepath.Dir(p))
		}
	}
	names := make([]string, len(protos))
	for i, p := range protos {
		var err error
		if names[i], err = importName(p, importPaths); err != nil {
			return nil, err
		}
	}
	src := &sources{}
	compiler := protocompile.Compiler{
		Resolver: protocompile.WithStandardImports(&protocompile.SourceResolver{ImportPaths: importPaths, Accessor: src.open}),
		Reporter: reporter.NewReporter(func(err reporter.ErrorWithPos) error { return err }, nil),
	}
	compiled, err := compiler.Compile(ctx, names...)
	if err != nil {
		return nil, unreadable(err, importPaths)
	}
	set, seen := []*descriptorpb.FileDescriptorProto(nil), map[string]bool{}
	var add func(f protoreflect.FileDescriptor)
	add = func(f protoreflect.FileDescriptor) {
		if seen[f.Path()] || f.IsPlaceholder() {
			return
		}
		seen[f.Path()] = true
		imports := f.Imports()
		for i := range imports.Len() {
			add(imports.Get(i).FileDescriptor)
		}
		set = append(set, protodesc.ToFileDescriptorProto(f))
	}
	for _, f := range compiled {
		add(f)
	}
	return link(set)
}

// importName is what a file is called by those that import it: its path below
// the first import path that holds it, or as it was given.
func importName(path string, importPaths []string) (string, error) {
	for _, p := range importPaths {
		rel, err := filepath.Rel(p, path)
		if err != nil || !filepath.IsLocal(rel) {
			rel = path // as an import would say it
		}
		if info, err := os.Stat(filepath.Join(p, rel)); err == nil && filepath.IsLocal(rel) {
			if info.IsDir() {
				return "", fmt.Errorf("%s is a directory: name the .proto files in it", path)
			}
			return filepath.ToSlash(rel), nil
		}
	}
	if _, err := os.Stat(path); err == nil {
		return "", fmt.Errorf("%s lies in none of the import paths %s: add its directory", path, strings.Join(importPaths, ", "))
	}
	return "", fmt.Errorf("no file %s in the import paths %s", path, strings.Join(importPaths, ", "))
}

// unreadable says in one line why files do not compile.
func unreadable(err error, importPaths []string) error {
	var at reporter.ErrorWithPos
	if !errors.As(err, &at) {
		return fmt.Errorf("the .proto files cannot be read: %s", plain(err))
	}
	pos := at.GetPosition()
	where := fmt.Sprintf("%s:%d:%d", pos.Filename, pos.Line, pos.Col)
	why := at.Unwrap()
	var missing *fs.PathError
	if errors.As(why, &missing) && errors.Is(why, fs.ErrNotExist) || errors.Is(why, protoregistry.NotFound) {
		imported := ""
		if missing != nil { // It names the last place that was looked in.
			imported, _ = filepath.Rel(importPaths[len(importPaths)-1], missing.Path)
		}
		return fmt.Errorf("%s: import %q is in none of the import paths %s", where, filepath.ToSlash(imported), strings.Join(importPaths, ", "))
	}
	return fmt.Errorf("%s: %s", where, plain(why))
}

// sources opens .proto files, within bounds. The compiler opens several at once.
type sources struct {
	mu     sync.Mutex
	opened int
}

func (s *sources) open(path string) (io.ReadCloser, error) {
	s.mu.Lock()
	s.opened++
	over := s.opened > protoFilesMax
	s.mu.Unlock()
	if over {
		return nil, fmt.Errorf("more than %d files are imported", protoFilesMax)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && (!info.Mode().IsRegular() || info.Size() > protoFileMaxBytes) {
		err = fmt.Errorf("%s is not a file of at most %d bytes", path, protoFileMaxBytes)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
