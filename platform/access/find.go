package access

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Variable names a context file, where no flag does.
const Variable = "BREAKBANK_CONTEXT"

// FileName is the name of a context file, DirName that of its directory in a
// project, userDir in the user's own configuration.
const (
	FileName = "context.yaml"
	DirName  = ".breakbank"
	userDir  = "breakbank"
)

// Places are where a context file is looked for, the first that counts.
type Places struct {
	// Flag and Variable name a file; where one does, it must be there.
	Flag, Variable string
	// Dir and the directories above it may hold DirName/FileName.
	Dir string
	// Config is the directory of the user's configuration, which may hold
	// breakbank/FileName.
	Config string
}

// UsualPlaces are those of this process, with what a flag says.
func UsualPlaces(flag string) Places {
	p := Places{Flag: flag, Variable: os.Getenv(Variable)}
	// Without a working directory or a home there is one place less.
	p.Dir, _ = os.Getwd()
	p.Config, _ = os.UserConfigDir()
	return p
}

// Find is the path of the context file, or empty where there is none.
func (p Places) Find() (string, error) {
	if p.Flag != "" {
		return p.Flag, mustBeThere("--context-file", p.Flag)
	}
	if p.Variable != "" {
		return p.Variable, mustBeThere("$"+Variable, p.Variable)
	}
	if p.Dir != "" {
		for dir := filepath.Clean(p.Dir); ; dir = filepath.Dir(dir) {
			if path := filepath.Join(dir, DirName, FileName); isThere(path) {
				return path, nil
			}
			if dir == filepath.Dir(dir) {
				break
			}
		}
	}
	if p.Config != "" {
		if path := filepath.Join(p.Config, userDir, FileName); isThere(path) {
			return path, nil
		}
	}
	return "", nil
}

func isThere(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

func mustBeThere(who, path string) error {
	_, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s: there is no context file %s", who, path)
	case err != nil:
		return fmt.Errorf("%s: %w", who, err)
	}
	return nil
}
