package book_test

import (
	"regexp"
	"testing"

	"breakbank/platform/book"
	"breakbank/platform/book/booktest"
	"breakbank/platform/telemetry/telemetrytest"
	bookv1 "breakbank/proto/book/v1"
)

func TestMetrics(t *testing.T) {
	store := openPebble(t, t.TempDir(), book.Options{Durability: book.Memory})
	collector := book.NewCollector(func() map[string]*book.Pebble { return map[string]*book.Pebble{"ledger": store} })
	seed := []*bookv1.Operation{
		booktest.Op("o", booktest.OpenAcc, "a", "", 100, ""),
		booktest.Op("p", booktest.Post, "a", "bank:scheme", 1, ""),
		booktest.Op("q", booktest.Post, "a", "bank:scheme", 1, ""),
	}
	if err := store.Seed(t.Context(), seed); err != nil { // one group
		t.Fatal(err)
	}
	if _, err := store.Apply(t.Context(), booktest.Op("r", booktest.Post, "a", "bank:scheme", 1, "")); err != nil {
		t.Fatal(err)
	}
	text := telemetrytest.Scrape(t, collector)
	telemetrytest.Wants(t, text,
		`bb_book_commit_duration_seconds_count{store="ledger"} 2`,
		`bb_book_commit_entries_bucket{store="ledger",le="1"} 1`,
		`bb_book_commit_entries_bucket{store="ledger",le="2"} 1`,
		`bb_book_commit_entries_bucket{store="ledger",le="4"} 2`,
		`bb_book_commit_entries_sum{store="ledger"} 4`,
		`bb_book_commit_waiting{store="ledger"} 0`,
		`bb_book_journal_sequence{store="ledger"} 4`,
		`bb_book_published_sequence{store="ledger"} 0`,
	)
	if !regexp.MustCompile(`(?m)^bb_book_disk_bytes\{store="ledger"\} [1-9]`).MatchString(text) {
		t.Error("takes nothing on disk")
	}
	// A scrape may come while the book closes.
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	telemetrytest.Wants(t, telemetrytest.Scrape(t, collector), `bb_book_journal_sequence{store="ledger"} 4`)
}
