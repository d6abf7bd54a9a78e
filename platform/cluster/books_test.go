package cluster

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"breakbank/platform/book"
	"breakbank/platform/book/booktest"
	adminv1 "breakbank/proto/admin/v1"
	bookv1 "breakbank/proto/book/v1"
)

// generous tells of every account that it has a penny more.
type generous struct{ book.Store }

func (g generous) Account(ctx context.Context, id string) (*bookv1.Account, error) {
	a, err := g.Store.Account(ctx, id)
	if err == nil {
		a.BalanceMinor++
	}
	return a, err
}

// checkedPlatform is a control API over nothing but a book.
func checkedPlatform(t *testing.T, stores map[string]book.Store, names ...string) *adminServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return checkedPlatformOn(t, l, stores, names...)
}

func checkedPlatformOn(t *testing.T, l net.Listener, stores map[string]book.Store, names ...string) *adminServer {
	t.Helper()
	server := book.NewServer(book.ServerConfig{Listener: l, Stores: stores})
	served := make(chan error, 1)
	go func() { served <- server.Serve() }()
	t.Cleanup(func() {
		server.Kill()
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return &adminServer{platform: &Platform{book: l.Addr().String(), stores: names}}
}

// storeOf is a store with so many accounts.
func storeOf(t *testing.T, accounts int) book.Store {
	t.Helper()
	store, err := book.OpenPebble(t.TempDir(), book.Options{Durability: book.Memory})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	for i := range accounts {
		if _, err := store.Apply(t.Context(), booktest.Op(fmt.Sprint("o", i), booktest.OpenAcc, fmt.Sprint("a", i), "", 5, "")); err != nil {
			t.Fatal(err)
		}
	}
	return store
}

func TestCheckBooks(t *testing.T) {
	t.Parallel()
	s := checkedPlatform(t, map[string]book.Store{
		"ledger": storeOf(t, 3), "pots": storeOf(t, 0), "prepaid": generous{storeOf(t, 19)},
	}, "ledger", "pots", "prepaid")
	got, err := s.CheckBooks(t.Context(), &adminv1.CheckBooksRequest{})
	if err != nil || len(got.GetStores()) != 3 {
		t.Fatalf("%v, %v, want three stores", got, err)
	}
	for i, want := range []struct {
		store             string
		entries, accounts int64
		faults            int
	}{{"ledger", 3, 4, 0}, {"pots", 0, 0, 0}, {"prepaid", 19, 20, 9}} { // 8 of 20 in words, and how many more
		one := got.GetStores()[i]
		if one.GetStore() != want.store || one.GetEntries() != want.entries || one.GetAccounts() != want.accounts || len(one.GetFaults()) != want.faults {
			t.Errorf("%v, want %+v", one, want)
		}
	}
	if faults := got.GetStores()[2].GetFaults(); !strings.Contains(faults[0], `"a0"`) || faults[8] != "and 12 more" {
		t.Errorf("%q", faults)
	}
}

// lateListener drops connections until a while after the first.
type lateListener struct {
	net.Listener
	after time.Duration
	first time.Time // only Accept looks at it
}

func (l *lateListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.first.IsZero() {
			l.first = time.Now()
		}
		if time.Since(l.first) >= l.after {
			return conn, nil
		}
		conn.Close()
	}
}

// TestCheckBooksWaitsForTheBook: a service gives up on a connection after half a
// second, since a customer waits for it; a check does not.
func TestCheckBooksWaitsForTheBook(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := checkedPlatformOn(t, &lateListener{Listener: l, after: time.Second}, map[string]book.Store{"ledger": storeOf(t, 3)}, "ledger")
	if _, err := s.CheckBooks(t.Context(), &adminv1.CheckBooksRequest{}); err != nil {
		t.Error(err)
	}
}

func TestCheckBooksThatCannotBeRead(t *testing.T) {
	t.Parallel()
	store := storeOf(t, 1)
	s := checkedPlatform(t, map[string]book.Store{"ledger": store}, "ledger", "savings")
	if _, err := s.CheckBooks(t.Context(), &adminv1.CheckBooksRequest{}); status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), "savings") {
		t.Errorf("a store that is not there: %v", err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.CheckBooks(t.Context(), &adminv1.CheckBooksRequest{}); status.Code(err) != codes.Unavailable {
		t.Errorf("a book that is down: %v, want Unavailable", err)
	}
	s.platform.checkingBooks.Lock()
	defer s.platform.checkingBooks.Unlock()
	if _, err := s.CheckBooks(t.Context(), &adminv1.CheckBooksRequest{}); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("two at once: %v, want ResourceExhausted", err)
	}
}
