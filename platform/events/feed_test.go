package events_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"breakbank/platform/events"
	bankv1 "breakbank/proto/bank/v1"
)

func feedOf(t rapid.TB, b *events.Bus, account string, limit int) []int64 {
	t.Helper()
	entries, err := b.Feed(context.Background(), account, limit)
	if err != nil {
		t.Fatal(err)
	}
	var sequences []int64
	for _, e := range entries {
		sequences = append(sequences, e.GetSequence())
	}
	return sequences
}

func feedEntry(sequence int64) *bankv1.FeedEntry {
	return &bankv1.FeedEntry{Sequence: sequence, AmountMinor: -sequence, Reference: "Pret"}
}

// newest are the n newest of the sequences, newest first, each once.
func newest(sequences []int64, n int) []int64 {
	all := slices.Clone(sequences)
	slices.Sort(all)
	all = slices.Compact(all)
	slices.Reverse(all)
	return all[:min(n, len(all))]
}

// TestTheFeedIsTheNewestEntriesWhateverTheOrder adds drawn entries in drawn
// order, some again, and expects the newest.
func TestTheFeedIsTheNewestEntriesWhateverTheOrder(t *testing.T) {
	b := connect(t, start(t))
	runs := 0
	rapid.Check(t, func(r *rapid.T) {
		runs++
		account := fmt.Sprintf("acc-%05d", runs)
		added := rapid.SliceOfN(rapid.Int64Range(1, 40), 0, 60).Draw(r, "sequences")
		for rest := added; len(rest) > 0; {
			n := rapid.IntRange(1, min(3, len(rest))).Draw(r, "at once")
			var entries []*bankv1.FeedEntry
			for _, sequence := range rest[:n] {
				entries = append(entries, feedEntry(sequence))
			}
			if err := b.AddToFeed(context.Background(), account, entries...); err != nil {
				r.Fatal(err)
			}
			rest = rest[n:]
		}
		for _, limit := range []int{0, 10, events.FeedLength, 100} {
			got, want := feedOf(r, b, account, limit), newest(added, min(limit, events.FeedLength))
			if !slices.Equal(got, want) {
				r.Fatalf("limit %d: %v, want %v", limit, got, want)
			}
		}
	})
}

func TestManyAddToOneFeed(t *testing.T) {
	s := start(t)
	const writers, each = 4, 10
	var done sync.WaitGroup
	var added []int64
	for w := range writers {
		b := connect(t, s)
		for i := range each {
			added = append(added, int64(w*each+i+1))
		}
		done.Go(func() {
			for i := range each {
				if err := b.AddToFeed(t.Context(), "acc-00001", feedEntry(int64(w*each+i+1))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	done.Wait()
	got, want := feedOf(t, connect(t, s), "acc-00001", events.FeedLength), newest(added, events.FeedLength)
	if !slices.Equal(got, want) {
		t.Errorf("feed %v, want %v", got, want)
	}
}

// BenchmarkFeed reads feeds out of ten thousand.
func BenchmarkFeed(b *testing.B) {
	s, err := events.StartServer(events.ServerConfig{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	bus, err := events.Connect(b.Context(), s.URL())
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = bus.Close() }()
	const accounts = 10_000
	account := func(i int) string { return fmt.Sprintf("acc-%05d", i%accounts) }
	for i := range accounts {
		var entries []*bankv1.FeedEntry
		for sequence := range int64(events.FeedLength) {
			entries = append(entries, feedEntry(sequence+1))
		}
		if err := bus.AddToFeed(b.Context(), account(i), entries...); err != nil {
			b.Fatal(err)
		}
	}
	for i := 0; b.Loop(); i++ {
		if _, err := bus.Feed(b.Context(), account(i*7919), 10); err != nil {
			b.Fatal(err)
		}
	}
}
