package access

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml"
)

const (
	// secretMode is for its owner alone.
	secretMode = 0o600
	// tokenMode is for all who see the volume that the token lies in.
	tokenMode = 0o444
	// tokenBytes is 256 bits, which nobody guesses.
	tokenBytes = 32
)

// Owner is who a file is to belong to; nil is whoever writes it.
type Owner struct{ UID, GID int }

// Write writes a context file for its owner alone. Who reads it at that moment
// sees the old file or the new one, whole.
func Write(path string, f File, owner *Owner) error {
	if err := f.check(); err != nil {
		return fmt.Errorf("context file %s: %w", path, err)
	}
	data, err := yaml.Marshal(f)
	if err != nil {
		return fmt.Errorf("context file %s: %w", path, err)
	}
	if err := replace(path, data, secretMode, owner); err != nil {
		return fmt.Errorf("write the context file: %w", err)
	}
	return nil
}

// Remove removes a context file that is still the one that was written.
func Remove(path string, f File) error {
	want, err := yaml.Marshal(f)
	if err != nil {
		return fmt.Errorf("context file %s: %w", path, err)
	}
	got, err := readBounded(path, fileBytesMax)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("remove the context file: %w", err)
	case !bytes.Equal(got, want):
		return nil // Somebody else's by now.
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the context file: %w", err)
	}
	return nil
}

// replace puts a file in place of what is at the path, at once.
func replace(path string, data []byte, mode fs.FileMode, owner *Owner) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	_, err = f.Write(data)
	if err = errors.Join(err, f.Chmod(mode)); err == nil && owner != nil && *owner != (Owner{os.Geteuid(), os.Getegid()}) {
		err = f.Chown(owner.UID, owner.GID)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// ReadToken reads a token from a file, without the space around it.
func ReadToken(path string) (string, error) {
	data, err := readBounded(path, tokenBytesMax+2)
	if err != nil {
		return "", fmt.Errorf("token file: %w", err)
	}
	token := strings.TrimSpace(string(data))
	if token == "" {
		return "", fmt.Errorf("token file %s is empty", path)
	}
	if err := checkToken(token); err != nil {
		return "", fmt.Errorf("token file %s: %w", path, err)
	}
	return token, nil
}

// EnsureToken reads the token of a file, and makes one of 256 random bits where
// there is no file yet. It is readable to all who see its directory, which is to
// be seen by those only who may know it.
func EnsureToken(path string) (string, error) {
	token, err := ReadToken(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return token, err
	}
	random := make([]byte, tokenBytes)
	if _, err := rand.Read(random); err != nil {
		return "", fmt.Errorf("make a token: %w", err)
	}
	token = hex.EncodeToString(random)
	if err := replace(path, []byte(token+"\n"), tokenMode, nil); err != nil {
		return "", fmt.Errorf("write the token: %w", err)
	}
	return token, nil
}

// readBounded reads a regular file of at most so many bytes.
func readBounded(path string, bytesMax int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, bytesMax+1))
	if err == nil && int64(len(data)) > bytesMax {
		err = fmt.Errorf("%s is larger than %d bytes", path, bytesMax)
	}
	return data, err
}
