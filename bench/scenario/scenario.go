// Package scenario reads the scripts that a replay plays: steps in an
// operator's words, with the times of the day on which they were taken. It
// refuses what cannot be played, with file and line, and lays a script out on
// the real clock for a pace. It does not play anything; bench/replay does.
package scenario

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"breakbank/bench/scenarios"
)

// Scenario is a script that was read and found playable. It is not changed
// after reading and so is safe for concurrent use.
type Scenario struct {
	Name  string
	About string
	// Members is the size of the registry that the platform starts with.
	Members int
	// Pace is the default pace: paced seconds a real second.
	Pace float64
	// RatePerS is the default rate of journeys under full load.
	RatePerS float64
	Phases   []Phase
	Steps    []Step
}

// Phase is a stretch of the script; it lasts until the next one opens.
type Phase struct {
	Name string
	// Min is the real time that what happens in the phase needs, from when the
	// step that opens it has completed; a pace that leaves it less is refused.
	// 0: any length will do.
	Min time.Duration
	// Needs says in words what takes Min.
	Needs string
}

// Step is one thing that the operator does.
type Step struct {
	ID string
	At At
	// Do is the step in the operator's words.
	Do   string
	Verb Verb
	Args Args
	// Opens names the phase that begins with the step, or is empty.
	Opens string
	// Mechanisms are the tags by which --without drops the step.
	Mechanisms []string
	Line       int
}

// Names lists the scenarios that come with breakbank, in order.
func Names() []string {
	files, err := fs.Glob(scenarios.FS, "*.yaml")
	if err != nil {
		return nil
	}
	for i, file := range files {
		files[i] = strings.TrimSuffix(file, ".yaml")
	}
	slices.Sort(files)
	return files
}

// Load reads a scenario by the name of one that comes with breakbank, or from
// a file, when the name ends in .yaml or .yml or holds a path separator.
func Load(nameOrPath string, targets Targets) (*Scenario, error) {
	if slices.Contains(Names(), nameOrPath) {
		file := nameOrPath + ".yaml"
		data, err := scenarios.FS.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("reading scenario %s: %w", nameOrPath, err)
		}
		return Parse(file, data, targets)
	}
	if isPath(nameOrPath) {
		data, err := os.ReadFile(nameOrPath)
		if err != nil {
			return nil, fmt.Errorf("reading scenario: %w", err)
		}
		return Parse(nameOrPath, data, targets)
	}
	return nil, fmt.Errorf("unknown scenario %q; valid: %s, or the path of a .yaml file",
		nameOrPath, strings.Join(Names(), ", "))
}

func isPath(name string) bool {
	ext := filepath.Ext(name)
	return ext == ".yaml" || ext == ".yml" || strings.ContainsRune(name, filepath.Separator)
}

// PhaseNames lists the phases in order.
func (s *Scenario) PhaseNames() []string {
	names := make([]string, 0, len(s.Phases))
	for _, phase := range s.Phases {
		names = append(names, phase.Name)
	}
	return names
}

// Mechanisms lists the tags that steps carry, each once, in order of use.
func (s *Scenario) Mechanisms() []string {
	var tags []string
	for _, step := range s.Steps {
		for _, tag := range step.Mechanisms {
			if !slices.Contains(tags, tag) {
				tags = append(tags, tag)
			}
		}
	}
	return tags
}
