package access

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// Share is a context file that is there for as long as a platform is: how one
// that lives in containers tells its host where it is.
type Share struct {
	// Dir takes the file FileName, which is given to the directory's owner.
	Dir string
	// TokenFile holds the platform's token; it is made where it is missing.
	TokenFile string
	// Context is what is written, with the token.
	Context Context
	// Out, if not empty, is a directory that everyone may write results to, each
	// their own. One of root's, as a container engine makes it, is given to the
	// owner of Dir, who is to be able to clear it up.
	Out string
}

// outMode lets everybody write there, and nobody remove what others wrote.
const outMode = 0o777 | os.ModeSticky

// Put makes the token where it is missing, opens Out and writes the context
// file. It returns what removes that file, if it still is the same.
func (s Share) Put() (remove func() error, err error) {
	if s.Context.Token, err = EnsureToken(s.TokenFile); err != nil {
		return nil, err
	}
	info, err := os.Stat(s.Dir)
	if err != nil {
		return nil, fmt.Errorf("directory of the context file: %w", err)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("directory of the context file: %s is no directory", s.Dir)
	}
	owner := ownerOf(info)
	if s.Out != "" {
		if err := openToAll(s.Out, owner); err != nil {
			return nil, fmt.Errorf("directory for results: %w", err)
		}
	}
	path := filepath.Join(s.Dir, FileName)
	f := File{Current: s.Context.Name, Contexts: []Context{s.Context}}
	if err := Write(path, f, owner); err != nil {
		return nil, err
	}
	return func() error { return Remove(path, f) }, nil
}

// Serve puts the context file there and removes it when ctx ends.
func (s Share) Serve(ctx context.Context, ready func()) error {
	remove, err := s.Put()
	if err != nil {
		return err
	}
	ready()
	<-ctx.Done()
	return remove()
}

// ownerOf is whose a file is, nil where the system does not tell.
func ownerOf(info os.FileInfo) *Owner {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	return &Owner{UID: int(stat.Uid), GID: int(stat.Gid)}
}

// openToAll makes a directory where there is none and lets everybody write
// there. If it is root's, it becomes the owner's.
func openToAll(dir string, owner *Owner) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if was := ownerOf(info); was != nil && owner != nil && was.UID == 0 && owner.UID != 0 {
		if err := os.Chown(dir, owner.UID, owner.GID); err != nil {
			return fmt.Errorf("give it to its owner: %w", err)
		}
	}
	if info.Mode()&(os.ModePerm|os.ModeSticky) == outMode {
		return nil
	}
	if err := os.Chmod(dir, outMode); err != nil {
		return fmt.Errorf("make it writable to all: %w", err)
	}
	return nil
}
