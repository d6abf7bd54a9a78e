package node

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// snapshot is the last good configuration on disk, "" for none.
func (b *bench) snapshot() string {
	b.t.Helper()
	saved, err := os.ReadFile(filepath.Join(b.dir, snapshotFile))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		b.t.Fatal(err)
	}
	return string(saved)
}

func (b *bench) madeWith() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.made
}

const newerConfig = snapshotConfig + "watch_null: freeze\n"

// A configuration that no router accepts costs nothing where there is a last
// good one: the router starts from that, and it stays for the next start.
func TestABadConfigurationDoesNotDestroyTheLastGoodOne(t *testing.T) {
	for name, bad := range map[string]string{
		"not YAML":                      "policies: [",
		"an unknown policy":             "policies: [config-snapshot, wings]\n",
		"blank":                         " \n",
		"readable, refused by a router": newerConfig,
		"readable, without the policy, refused by a router": "watch_null: freeze\n",
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, snapshotConfig)
			b.await("first router", func(s RouterStatus) bool { return s.Running })
			for start := 2; start <= 3; start++ {
				b.set(func() { b.config, b.refuse, b.made = bad, bad, "" })
				b.keeper.restart()
				b.await("router from the snapshot", func(s RouterStatus) bool { return s.Running && s.Names == start })
				if made, saved := b.madeWith(), b.snapshot(); made != snapshotConfig || saved != snapshotConfig {
					t.Errorf("start %d: router made with %q, on disk %q", start, made, saved)
				}
			}
		})
	}
}

func TestAnAcceptedConfigurationTakesTheSnapshotsPlace(t *testing.T) {
	b := newBench(t, snapshotConfig)
	b.await("first router", func(s RouterStatus) bool { return s.Running })
	b.set(func() { b.config = newerConfig })
	b.keeper.restart()
	b.await("second router", func(s RouterStatus) bool { return s.Running && s.Names == 2 })
	if made, saved := b.madeWith(), b.snapshot(); made != newerConfig || saved != newerConfig {
		t.Errorf("router made with %q, on disk %q", made, saved)
	}
}

// One API server gone dark does not make the configuration stale.
func TestWithASnapshotAnyAPIServerWillDo(t *testing.T) {
	b := newBench(t, snapshotConfig)
	b.await("first router", func(s RouterStatus) bool { return s.Running })
	b.set(func() { b.config, b.oneDark = newerConfig, true })
	b.keeper.restart()
	b.await("second router", func(s RouterStatus) bool { return s.Running && s.Names == 2 })
	if made := b.madeWith(); made != newerConfig {
		t.Errorf("router made with %q", made)
	}
}

// Without a snapshot a blank configuration is none: the router waits.
func TestABlankConfigurationStartsNoRouter(t *testing.T) {
	b := newBench(t, " \n")
	b.await("the reason", func(s RouterStatus) bool { return strings.Contains(s.Detail, "blank") })
	if b.keeper.status().Running {
		t.Error("the router runs without its configuration")
	}
	b.set(func() { b.config = plainConfig })
	b.await("the router", func(s RouterStatus) bool { return s.Running })
}
