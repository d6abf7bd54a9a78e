package book_test

import (
	"errors"
	"net"
	"os"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"breakbank/platform/book"
	"breakbank/platform/book/booktest"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDirEnv); dir != "" {
		os.Exit(applyUntilKilled(dir, os.Getenv(crashDurabilityEnv)))
	}
	goleak.VerifyTestMain(m)
}

func openPebble(t *testing.T, dir string, options book.Options) *book.Pebble {
	t.Helper()
	p, err := book.OpenPebble(dir, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return p
}

// serveBook serves stores until the test ends, and returns the address.
func serveBook(t testing.TB, stores map[string]book.Store) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := book.NewServer(book.ServerConfig{Listener: l, Stores: stores})
	served := make(chan error, 1)
	go func() { served <- s.Serve() }()
	t.Cleanup(func() {
		s.Kill()
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return l.Addr().String()
}

func dialBook(t testing.TB, addr, store string) book.Store {
	t.Helper()
	s, err := book.Dial(addr, store)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestConformance(t *testing.T) {
	for _, durability := range []book.Durability{book.Fsync, book.Memory} {
		t.Run("pebble "+string(durability), func(t *testing.T) {
			booktest.Run(t, func(t *testing.T) book.Store {
				return openPebble(t, t.TempDir(), book.Options{Durability: durability})
			})
		})
	}
	t.Run("remote", func(t *testing.T) {
		booktest.Run(t, func(t *testing.T) book.Store {
			store := openPebble(t, t.TempDir(), book.Options{Durability: book.Memory})
			return dialBook(t, serveBook(t, map[string]book.Store{"ledger": store}), "ledger")
		})
	})
}

func TestStoresAreSeparate(t *testing.T) {
	stores := map[string]book.Store{}
	for _, name := range []string{"ledger", "prepaid"} {
		stores[name] = openPebble(t, t.TempDir(), book.Options{Durability: book.Memory})
	}
	addr := serveBook(t, stores)
	if _, err := dialBook(t, addr, "ledger").Apply(t.Context(), booktest.Op("o", booktest.OpenAcc, "a", "", 1, "")); err != nil {
		t.Fatal(err)
	}
	if _, err := dialBook(t, addr, "prepaid").Account(t.Context(), "a"); !errors.Is(err, book.ErrNoSuchAccount) {
		t.Errorf("got %v, want ErrNoSuchAccount", err)
	}
	if _, err := dialBook(t, addr, "savings").Account(t.Context(), "a"); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("a store that is not there: %v", err)
	}
}

func TestRemoteErrorsKeepTheirMeaning(t *testing.T) {
	store := openPebble(t, t.TempDir(), book.Options{Durability: book.Memory})
	remote := dialBook(t, serveBook(t, map[string]book.Store{"ledger": store}), "ledger")
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := remote.Apply(t.Context(), booktest.Op("o", booktest.OpenAcc, "a", "", 1, ""))
	if status.Code(err) != codes.Unavailable {
		t.Errorf("not taken by a closed store: %v, want Unavailable", err)
	}
}
