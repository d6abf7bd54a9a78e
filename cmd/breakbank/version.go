package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
)

// version and commit are set by the linker, with -X, where a build is not made
// from a checkout, as that of the image is not. A commit may end with -dirty.
var version, commit string

// versionCommand says what this program is.
type versionCommand struct {
	JSON bool `help:"Print it as JSON and nothing else."`
}

// buildFacts are what this program was made from.
type buildFacts struct {
	Version string `json:"version"`
	// Commit is empty where the build does not say.
	Commit string `json:"commit"`
	// Dirty says that the sources differed from the commit.
	Dirty    bool   `json:"dirty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func (c *versionCommand) Run(t terminal) error {
	b := thisBuild()
	return t.show(c.JSON, b, b.String()+"\n")
}

// thisBuild says what this program was made from.
func thisBuild() buildFacts {
	info, _ := debug.ReadBuildInfo()
	return describeBuild(version, commit, info)
}

// dirtySuffix marks a commit that the sources differ from.
const dirtySuffix = "-dirty"

// describeBuild takes what the linker was told, and what is left open from the
// build itself, which may be nil.
func describeBuild(version, commit string, info *debug.BuildInfo) buildFacts {
	b := buildFacts{Version: version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	b.Commit, b.Dirty = strings.CutSuffix(commit, dirtySuffix)
	if info != nil && b.Version == "" && info.Main.Version != "(devel)" {
		b.Version = info.Main.Version
	}
	if info != nil && commit == "" {
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				b.Commit = s.Value
			case "vcs.modified":
				b.Dirty = s.Value == "true"
			}
		}
	}
	if b.Version == "" {
		b.Version = "devel"
	}
	return b
}

// String is the build on one line.
func (b buildFacts) String() string {
	commit := "commit unknown"
	if b.Commit != "" {
		commit = "commit " + b.Commit
	}
	if b.Dirty {
		commit += " with changes"
	}
	return fmt.Sprintf("breakbank %s, %s, %s %s", b.Version, commit, b.Go, b.Platform)
}
