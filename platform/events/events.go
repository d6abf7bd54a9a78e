// Package events is what the bank's parts tell each other without waiting for
// an answer, on NATS JetStream: an embedded server, the table of streams with
// the durability of each, and typed ways to publish and consume.
//
// What belongs here is the transport and its promises. What an event means is
// in proto/events and in the services.
//
// Every consumer must bear a message twice: delivery is at least once, and
// message ids make publishing it once effective only within the stream's
// duplicate window.
package events

import (
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// The streams.
const (
	// Journal carries every entry of the published books, in order. The book
	// has the original, so it is written to disk at leisure.
	Journal = "JOURNAL"
	// Feed has one message an account: its last entries. It can be rebuilt
	// from Journal, so it is written at leisure too.
	Feed = "FEED"
	// Advices is a work queue of stand-in's decisions, and their only copy.
	Advices = "ADVICES"
	// FPS is a work queue of accepted inbound payments, and their only copy.
	FPS = "FPS"
)

// Subjects of the work queues.
const (
	AdviceSubject  = "advices.raised"
	PaymentSubject = "fps.queued"
)

const (
	journalRoot = "journal"
	feedRoot    = "feed"
)

// Bounds of the streams. A full one refuses what comes: a queue that forgets
// its oldest payment, or a journal with a hole, would be worse.
const (
	journalMaxBytes = 16 << 30
	feedMaxBytes    = 2 << 30
	queueMaxBytes   = 2 << 30
	// journalDuplicates is short because the relay finds its place from the
	// stream itself; the window costs memory for every message in it.
	journalDuplicates = 10 * time.Second
	// queueDuplicates covers the retries of one request, with much to spare.
	queueDuplicates = 2 * time.Minute
)

// streams is the table of all streams.
//
// The server syncs every write before it acknowledges it (sync_interval:
// always), except in streams of persist mode "async" (nats-server 2.12), where
// an acknowledged message can be lost with the server.
func streams() []jetstream.StreamConfig {
	return []jetstream.StreamConfig{
		{
			Name: Journal, Subjects: []string{journalRoot + ".>"},
			Description: "entries of the books, in journal order",
			Retention:   jetstream.LimitsPolicy, Storage: jetstream.FileStorage, PersistMode: jetstream.AsyncPersistMode,
			Discard: jetstream.DiscardNew, MaxBytes: journalMaxBytes, Duplicates: journalDuplicates,
		},
		{
			Name: Feed, Subjects: []string{feedRoot + ".*"},
			Description: "the last entries of each account, one message an account",
			Retention:   jetstream.LimitsPolicy, Storage: jetstream.FileStorage, PersistMode: jetstream.AsyncPersistMode,
			Discard: jetstream.DiscardOld, MaxBytes: feedMaxBytes, MaxMsgsPerSubject: 1, AllowDirect: true,
		},
		{
			Name: Advices, Subjects: []string{"advices.>"},
			Description: "decisions of stand-in that the primary must apply",
			Retention:   jetstream.WorkQueuePolicy, Storage: jetstream.FileStorage,
			Discard: jetstream.DiscardNew, MaxBytes: queueMaxBytes, Duplicates: queueDuplicates,
		},
		{
			Name: FPS, Subjects: []string{"fps.>"},
			Description: "inbound payments accepted and not credited yet",
			Retention:   jetstream.WorkQueuePolicy, Storage: jetstream.FileStorage,
			Discard: jetstream.DiscardNew, MaxBytes: queueMaxBytes, Duplicates: queueDuplicates,
		},
	}
}

// JournalSubject is where the entries of an account are published. An entry
// that concerns no account has "-" in its place; the account of a posting is
// the one debited.
func JournalSubject(store, account string) string {
	return journalRoot + "." + token(store) + "." + token(account)
}

// JournalOf is the filter for all entries of a store.
func JournalOf(store string) string { return journalRoot + "." + token(store) + ".>" }

func feedSubject(account string) string { return feedRoot + "." + token(account) }

// token makes a name fit for one level of a subject.
func token(name string) string {
	if name == "" {
		return "-"
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == '.', r == '*', r == '>', r <= ' ':
			return '_'
		default:
			return r
		}
	}, name)
}
