package events

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/protobuf/proto"

	bankv1 "breakbank/proto/bank/v1"
)

// FeedLength is how many entries of an account the feed keeps.
const FeedLength = 20

const (
	// maxFeedTries bounds how often adding to a feed is tried against others
	// that add to the same account's.
	maxFeedTries = 64
	// feedPause, times the tries so far, bounds the random pause after losing
	// to another, so that none of them loses always.
	feedPause = time.Millisecond
)

// The feed of an account is one message, a page of its last entries, newest
// first, rather than a message an entry: JetStream finds the last message of
// a subject at once, but the last n only by walking over everything between
// them. Adding is read, merge, publish-if-unchanged. The merge orders by
// sequence and drops what is there already, so that entries may be added in
// any order, by anyone, again and again.

// AddToFeed adds entries to the feed of an account.
func (b *Bus) AddToFeed(ctx context.Context, account string, entries ...*bankv1.FeedEntry) error {
	for try := range maxFeedTries {
		page, revision, err := b.feedPage(ctx, account)
		if err != nil {
			return fmt.Errorf("add to feed of %s: %w", account, err)
		}
		merged := mergeFeed(page.GetEntries(), entries)
		if merged == nil {
			return nil
		}
		msg, err := message(feedSubject(account), &bankv1.ListEntriesResponse{Entries: merged})
		if err != nil {
			return err
		}
		_, err = b.js.PublishMsg(ctx, msg, jetstream.WithExpectLastSequencePerSubject(revision))
		var conflict *jetstream.APIError
		switch {
		case err == nil:
			return nil
		case errors.As(err, &conflict) && conflict.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence:
			if err := wait(ctx, rand.N(feedPause*time.Duration(try+1))); err != nil {
				return fmt.Errorf("add to feed of %s: %w", account, err)
			}
		default:
			return fmt.Errorf("add to feed of %s: %w", account, err)
		}
	}
	return fmt.Errorf("add to feed of %s: others were faster %d times", account, maxFeedTries)
}

// Feed returns the last entries of an account, newest first, at most limit
// and at most FeedLength. An account without any has an empty feed.
func (b *Bus) Feed(ctx context.Context, account string, limit int) ([]*bankv1.FeedEntry, error) {
	page, _, err := b.feedPage(ctx, account)
	if err != nil {
		return nil, fmt.Errorf("read feed of %s: %w", account, err)
	}
	entries := page.GetEntries()
	return entries[:max(0, min(limit, len(entries)))], nil
}

// feedPage reads the page of an account and its place in the stream, 0 when
// there is none.
func (b *Bus) feedPage(ctx context.Context, account string) (*bankv1.ListEntriesResponse, uint64, error) {
	page := new(bankv1.ListEntriesResponse)
	s, err := b.stream(ctx, Feed)
	if err != nil {
		return nil, 0, err
	}
	msg, err := s.GetLastMsgForSubject(ctx, feedSubject(account))
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return page, 0, nil
	case err != nil:
		return nil, 0, err
	}
	if err := proto.Unmarshal(msg.Data, page); err != nil {
		return nil, 0, fmt.Errorf("decode page: %w", err)
	}
	return page, msg.Sequence, nil
}

// mergeFeed returns the newest entries of both, newest first, or nil when
// added brings nothing new.
func mergeFeed(page, added []*bankv1.FeedEntry) []*bankv1.FeedEntry {
	merged := slices.Concat(page, added)
	newestFirst := func(a, b *bankv1.FeedEntry) int { return cmp.Compare(b.GetSequence(), a.GetSequence()) }
	// Stable, so that of two with the same sequence the one in the page stays.
	slices.SortStableFunc(merged, newestFirst)
	merged = slices.CompactFunc(merged, func(a, b *bankv1.FeedEntry) bool { return a.GetSequence() == b.GetSequence() })
	merged = merged[:min(len(merged), FeedLength)]
	if slices.Equal(merged, page) {
		return nil
	}
	return merged
}
