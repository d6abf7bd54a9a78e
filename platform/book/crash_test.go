package book_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"breakbank/platform/book"
	"breakbank/platform/book/booktest"
)

// The environment of the child process of TestSIGKILL.
const (
	crashDirEnv        = "BREAKBANK_TEST_CRASH_DIR"
	crashDurabilityEnv = "BREAKBANK_TEST_CRASH_DURABILITY"
)

const (
	crashWorkers = 8
	// crashAfter is how many acknowledgements the parent waits for.
	crashAfter = 2000
)

// applyUntilKilled is the child: it applies operations from several
// goroutines and prints the key of each one acknowledged.
func applyUntilKilled(dir, durability string) int {
	store, err := book.OpenPebble(dir, book.Options{Durability: book.Durability(durability)})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	ctx := context.Background()
	if _, err := store.Apply(ctx, booktest.Op("open", booktest.OpenAcc, "a", "", 1_000_000_000, "")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	var workers sync.WaitGroup
	for w := range crashWorkers {
		workers.Go(func() {
			for i := 0; ; i++ {
				key := fmt.Sprintf("%d-%d", w, i)
				if _, err := store.Apply(ctx, booktest.Op(key, booktest.Post, "a", "bank:scheme", 1, "")); err != nil {
					fmt.Fprintln(os.Stderr, err)
					return
				}
				fmt.Fprintln(os.Stdout, key)
			}
		})
	}
	workers.Wait()
	return 1
}

func TestAfterSIGKILLTheStoreHoldsExactlyWhatWasAcknowledged(t *testing.T) {
	for _, durability := range []book.Durability{book.Fsync, book.Memory} {
		t.Run(string(durability), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "book")
			child := exec.CommandContext(t.Context(), os.Args[0])
			child.Env = append(os.Environ(), crashDirEnv+"="+dir, crashDurabilityEnv+"="+string(durability))
			var stderr strings.Builder
			child.Stderr = &stderr
			out, err := child.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := child.Start(); err != nil {
				t.Fatal(err)
			}
			acknowledged := map[string]bool{}
			lines := bufio.NewScanner(out)
			for lines.Scan() {
				acknowledged[lines.Text()] = true
				if len(acknowledged) == crashAfter {
					if err := child.Process.Kill(); err != nil {
						t.Fatal(err)
					}
				}
			}
			_ = child.Wait()
			if len(acknowledged) < crashAfter {
				t.Fatalf("the child ended after %d: %s", len(acknowledged), &stderr)
			}

			// First read-only, as the audit does, then for use.
			for _, options := range []book.Options{{ReadOnly: true}, {Durability: durability}} {
				store := openPebble(t, dir, options)
				checkAcknowledged(t, store, acknowledged)
				if err := store.Close(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func checkAcknowledged(t *testing.T, store book.Store, acknowledged map[string]bool) {
	t.Helper()
	if _, err := booktest.Check(t.Context(), store); err != nil {
		t.Error(err)
	}
	entries, err := booktest.Journal(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	journalled := map[string]bool{}
	for _, e := range entries {
		journalled[e.GetOperation().GetKey()] = true
	}
	for key := range acknowledged {
		if !journalled[key] {
			t.Errorf("%s was acknowledged and is lost", key)
		}
	}
	// Beyond those, and the opening, each worker had one in flight, or two if
	// the line that acknowledged the first was never read.
	if extra := len(journalled) - len(acknowledged) - 1; extra > 2*crashWorkers {
		t.Errorf("%d entries nobody was told of, want at most %d", extra, 2*crashWorkers)
	}
}
