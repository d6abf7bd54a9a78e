package cluster

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"breakbank/platform/part"
)

// runningPart runs a part of a stack and a client of it, until the test ends.
func runningPart(t *testing.T, topology Topology, name string) (client *part.Client, end func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- RunPart(ctx, PartConfig{Topology: topology, Name: name}) }()
	spec, _ := topology.Part(name)
	client = part.Dial(part.DialConfig{Name: name, Role: spec.Role, Address: spec.Admin})
	t.Cleanup(client.Close)
	return client, func() error { cancel(); return <-ended }
}

// TestAPartThatCannotBeStartedCanBeReached: it may be the settings of a reset
// that it cannot start with, and only a reset rids it of them.
func TestAPartThatCannotBeStartedCanBeReached(t *testing.T) {
	t.Parallel()
	topology := newHaunted(t, "book").topology
	if err := os.WriteFile(filepath.Join(topology.Dir, "book"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	client, end := runningPart(t, topology, "book")
	eventually(t, "the part says why", func() bool { return strings.Contains(client.Unready(), "not a directory") })
	if err := end(); err != nil {
		t.Errorf("told to end: %v", err)
	}
}

// TestSettingsThatFitNoMoreWaitForAReset: the file may be changed between two
// lives of a part.
func TestSettingsThatFitNoMoreWaitForAReset(t *testing.T) {
	t.Parallel()
	topology := newHaunted(t, "book").topology
	if err := (nextLife{Generation: "g1", Settings: "no_such_key: 1\n"}).write(topology.Dir, "book"); err != nil {
		t.Fatal(err)
	}
	client, end := runningPart(t, topology, "book")
	eventually(t, "the part says why", func() bool { return strings.Contains(client.Unready(), "it waits for another") })
	if err := end(); err != nil {
		t.Errorf("told to end: %v", err)
	}
}
