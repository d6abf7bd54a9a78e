package book_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"breakbank/platform/book"
	"breakbank/platform/book/booktest"
	bookv1 "breakbank/proto/book/v1"
)

func TestAStoreOpensWhereItWasClosed(t *testing.T) {
	dir := t.TempDir()
	at := time.Date(2017, 10, 27, 13, 10, 0, 0, time.UTC)
	store := openPebble(t, dir, book.Options{Now: func() time.Time { return at }})
	open := booktest.Op("o", booktest.OpenAcc, "a", "", 100, "")
	if _, err := store.Apply(t.Context(), open); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Apply(t.Context(), open); !errors.Is(err, book.ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}

	again := openPebble(t, dir, book.Options{})
	if r, err := again.Apply(t.Context(), open); err != nil || !r.Replayed || r.Sequence != 1 {
		t.Errorf("the key after reopening: %+v, %v", r, err)
	}
	if r, err := again.Apply(t.Context(), booktest.Op("p", booktest.Post, "a", "bank:scheme", 1, "")); err != nil || r.Sequence != 2 {
		t.Errorf("the next operation: %+v, %v, want sequence 2", r, err)
	}
	entries, err := again.Entries(t.Context(), 1, 1)
	if err != nil || !entries[0].GetAt().AsTime().Equal(at) {
		t.Errorf("first entry %v, %v, want one of %v", entries, err, at)
	}
}

func TestReadOnly(t *testing.T) {
	dir := t.TempDir()
	if _, err := book.OpenPebble(dir, book.Options{ReadOnly: true}); err == nil {
		t.Fatal("a store that is not there was opened for reading")
	}
	store := openPebble(t, dir, book.Options{})
	if err := store.Seed(t.Context(), []*bookv1.Operation{booktest.Op("o", booktest.OpenAcc, "a", "", 100, "")}); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	audit := openPebble(t, dir, book.Options{ReadOnly: true})
	if _, err := audit.Apply(t.Context(), booktest.Op("p", booktest.Post, "a", "bank:scheme", 1, "")); !errors.Is(err, book.ErrReadOnly) {
		t.Errorf("got %v, want ErrReadOnly", err)
	}
	if _, err := booktest.Check(t.Context(), audit); err != nil {
		t.Error(err)
	}
}

// TestConservationWhileMoneyMoves reads all accounts at once, again and again
// while callers post.
func TestConservationWhileMoneyMoves(t *testing.T) {
	store := openPebble(t, t.TempDir(), book.Options{})
	var seed []*bookv1.Operation
	for i := range 20 {
		seed = append(seed, booktest.Op(fmt.Sprint("o", i), booktest.OpenAcc, fmt.Sprint("a", i), "", 1000, ""))
	}
	if err := store.Seed(t.Context(), seed); err != nil {
		t.Fatal(err)
	}
	var callers sync.WaitGroup
	for c := range 8 {
		callers.Go(func() {
			for i := range 200 {
				from, to := fmt.Sprint("a", (c+i)%20), fmt.Sprint("a", (c+2*i+1)%20)
				if from == to {
					to = "bank:scheme"
				}
				if _, err := store.Apply(t.Context(), booktest.Op(fmt.Sprint(c, "-", i), booktest.Post, from, to, 7, "")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	finished := make(chan struct{})
	go func() { callers.Wait(); close(finished) }()
	for reads, running := 0, true; running || reads < 3; reads++ {
		select {
		case <-finished:
			running = false
		default:
		}
		var sum int64
		if _, err := store.EachAccount(t.Context(), func(a *bookv1.Account) error {
			sum += a.GetBalanceMinor()
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if sum != 0 {
			t.Fatalf("read %d: the balances sum to %d", reads, sum)
		}
	}
	replay, err := booktest.Check(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	last, err := store.EachAccount(t.Context(), func(*bookv1.Account) error { n++; return nil })
	if err != nil || last != replay.Last() || n != len(replay.Accounts()) {
		t.Errorf("%d accounts at entry %d, %v, want %d at %d", n, last, err, len(replay.Accounts()), replay.Last())
	}
}

func TestSeedSaysWhatDoesNotFit(t *testing.T) {
	store := openPebble(t, t.TempDir(), book.Options{Durability: book.Memory})
	ops := []*bookv1.Operation{
		booktest.Op("o", booktest.OpenAcc, "a", "", 10, ""),
		booktest.Op("p", booktest.Post, "a", "bank:scheme", 11, ""),
	}
	if err := store.Seed(t.Context(), ops); err == nil {
		t.Error("a seed that was refused is no error")
	}
	if err := store.Seed(t.Context(), ops[:1]); err != nil {
		t.Errorf("seeding again: %v", err)
	}
}

func TestAwait(t *testing.T) {
	store := openPebble(t, t.TempDir(), book.Options{Durability: book.Memory})
	awaited := make(chan int64, 1)
	go func() {
		tail, err := store.Await(t.Context(), 0)
		if err != nil {
			t.Error(err)
		}
		awaited <- tail
	}()
	if _, err := store.Apply(t.Context(), booktest.Op("o", booktest.OpenAcc, "a", "", 1, "")); err != nil {
		t.Fatal(err)
	}
	if tail := <-awaited; tail != 1 {
		t.Errorf("tail %d, want 1", tail)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := store.Await(ctx, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want Canceled", err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Await(t.Context(), 1); !errors.Is(err, book.ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}
}

// BenchmarkApply is group commit under the load of a busy bank.
func BenchmarkApply(b *testing.B) {
	for _, durability := range []book.Durability{book.Fsync, book.Memory} {
		b.Run(string(durability), func(b *testing.B) {
			store, err := book.OpenPebble(b.TempDir(), book.Options{Durability: durability})
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = store.Close() }()
			if _, err := store.Apply(b.Context(), booktest.Op("o", booktest.OpenAcc, "a", "", 1e12, "")); err != nil {
				b.Fatal(err)
			}
			var n sync.Map
			b.SetParallelism(32)
			b.RunParallel(func(pb *testing.PB) {
				own := new(int)
				n.Store(own, true)
				for i := 0; pb.Next(); i++ {
					if _, err := store.Apply(b.Context(), booktest.Op(fmt.Sprintf("%p-%d", own, i), booktest.Post, "a", "bank:scheme", 1, "")); err != nil {
						b.Error(err)
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
		})
	}
}
