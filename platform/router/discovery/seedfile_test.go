package discovery

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// seeded is what the source of a seed file says of a service, as the parser
// reads it.
func seeded(t *testing.T, f *SeedFile, service string) []string {
	t.Helper()
	_, items, err := f.Source().List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, item := range items {
		entry, err := linkerd2018.Parse(item)
		if err != nil {
			t.Fatal(err)
		}
		if entry.Service == service {
			addresses := []string{}
			for _, e := range entry.Endpoints {
				addresses = append(addresses, e.Addr)
			}
			return addresses
		}
	}
	return nil
}

func putSeed(t *testing.T, path, text string) {
	t.Helper()
	// By renaming, so that even at the clock's coarsest it is another file.
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func TestSeedFileIsReread(t *testing.T) {
	path := filepath.Join(t.TempDir(), "seed.yaml")
	putSeed(t, path, "services: {a: ['h:1', '[::1]:2'], empty: []}")
	f, err := OpenSeedFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := seeded(t, f, "a"); !slices.Equal(got, []string{"h:1", "[::1]:2"}) {
		t.Errorf("a is at %q", got)
	}
	if got := seeded(t, f, "empty"); got == nil || len(got) != 0 {
		t.Errorf("empty is at %q", got)
	}
	// Nothing happens to a file that stays as it is, or that changes again.
	poll := func(wantReread bool, wantErr string) {
		t.Helper()
		reread, err := f.Poll()
		if reread != wantReread || (err == nil) != (wantErr == "") {
			t.Errorf("reread %v, %v; want %v, %q", reread, err, wantReread, wantErr)
		}
	}
	poll(false, "")
	putSeed(t, path, "services: {a: ['h:3']}")
	poll(false, "")
	putSeed(t, path, "services: {a: ['h:33']}")
	poll(false, "")
	poll(true, "")
	poll(false, "")
	if got := seeded(t, f, "a"); !slices.Equal(got, []string{"h:33"}) {
		t.Errorf("a is at %q", got)
	}
	// What is wrong is said once, and changes nothing.
	putSeed(t, path, "services: {a: [h]}")
	poll(false, "")
	poll(true, "not host:port")
	poll(false, "")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	poll(false, "")
	poll(true, "no such file")
	poll(false, "")
	if got := seeded(t, f, "a"); !slices.Equal(got, []string{"h:33"}) {
		t.Errorf("a is at %q", got)
	}
	// On request it is read at once, and what is wrong is said each time.
	if err := f.Reread(); err == nil {
		t.Error("read what is not there")
	}
	putSeed(t, path, "services: {a: ['h:4']}")
	if err := f.Reread(); err != nil {
		t.Error(err)
	}
	poll(false, "")
	if got := seeded(t, f, "a"); !slices.Equal(got, []string{"h:4"}) {
		t.Errorf("a is at %q", got)
	}
}

func TestSeedFileHasABound(t *testing.T) {
	path := filepath.Join(t.TempDir(), "seed.yaml")
	putSeed(t, path, "services: {}\n#"+string(make([]byte, maxSeedBytes)))
	if _, err := OpenSeedFile(path); err == nil {
		t.Error("read a file of any size")
	}
}

// A watch of a static source sends bookmarks each second until there is
// another table, and then sends for a list.
func TestStaticWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewStatic("s", Addresses{"a": {"h:1"}})
		revision, _, err := s.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		notices := make(chan Notice)
		ended := make(chan error)
		watch := func(ctx context.Context) {
			go func() { ended <- s.Watch(ctx, revision, func(n Notice) { notices <- n }) }()
		}
		watch(t.Context())
		began := time.Now()
		for range 2 {
			if n := <-notices; !n.Bookmark || n.Revision != revision {
				t.Errorf("notice %+v", n)
			}
		}
		if took := time.Since(began); took != 2*staticBookmarkEvery {
			t.Errorf("two bookmarks in %v", took)
		}
		s.Replace(Addresses{"a": {"h:2"}})
		if err := <-ended; !errors.Is(err, ErrGone) {
			t.Errorf("the watch ended with %v", err)
		}
		next, _, _ := s.List(t.Context())
		if next <= revision {
			t.Errorf("revision %d after %d", next, revision)
		}
		revision = next
		ctx, cancel := context.WithCancel(t.Context())
		watch(ctx)
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("the watch ended with %v", err)
		}
	})
}
