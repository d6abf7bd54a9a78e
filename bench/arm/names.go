package arm

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"breakbank/bench/arms"
)

// Words that stand for several arms.
const (
	// All is the four that tell the story: what one writes in an afternoon, the
	// router of the day, the same with its fault mended, and ours.
	All = "all"
	// Every is each arm that comes with breakbank.
	Every = "every"
)

// story is what All stands for, from the simplest to ours.
var story = []string{"naive", "linkerd-2017", "linkerd-2018", "guarded"}

// others come after the story: what people use, then the bound, then ours on
// other data planes. Each is a file in bench/arms, as those of the story are.
var others = []string{"envoy-like", "client-go", "grpc-go", "dns", "oracle", "guarded-raw-codec", "guarded-client-side"}

// Names lists the arms that come with breakbank, in the order in which they
// are played; the variants come last.
func Names() []string {
	names := slices.Concat(story, others)
	for _, v := range variants() {
		names = append(names, v.name)
	}
	return names
}

// Load reads an arm by the name of one that comes with breakbank, or from a
// file, when the name ends in .yaml or .yml or holds a path separator.
func Load(nameOrPath string) (*Arm, error) {
	switch ext := filepath.Ext(nameOrPath); {
	case ext == ".yaml" || ext == ".yml" || strings.ContainsRune(nameOrPath, filepath.Separator):
		data, err := os.ReadFile(nameOrPath)
		if err != nil {
			return nil, fmt.Errorf("reading arm: %w", err)
		}
		return Parse(nameOrPath, data)
	case slices.Contains(story, nameOrPath) || slices.Contains(others, nameOrPath):
		file := nameOrPath + ".yaml"
		data, err := arms.FS.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("reading arm %s: %w", nameOrPath, err)
		}
		return Parse(file, data)
	}
	for _, v := range variants() {
		if v.name == nameOrPath {
			return v.load()
		}
	}
	return nil, fmt.Errorf("unknown arm %q; valid: %s, or the path of a .yaml file", nameOrPath, strings.Join(Names(), ", "))
}

// LoadAll reads one arm; several, with commas between their names; or those
// that All or Every stand for.
func LoadAll(spec string) ([]*Arm, error) {
	var names []string
	for name := range strings.SplitSeq(spec, ",") {
		switch name = strings.TrimSpace(name); name {
		case All:
			names = append(names, story...)
		case Every:
			names = append(names, Names()...)
		default:
			names = append(names, name)
		}
	}
	var loaded []*Arm
	var errs []error
	for i, name := range names {
		a, err := Load(name)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("%w; or several of them, with commas, or %s for %s, or %s for all of them",
				err, All, strings.Join(story, ", "), Every))
		case slices.Contains(names[:i], name):
			errs = append(errs, fmt.Errorf("arm %s is named twice", name))
		default:
			loaded = append(loaded, a)
		}
	}
	return loaded, errors.Join(errs...)
}
