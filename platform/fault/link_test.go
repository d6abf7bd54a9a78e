package fault

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// distantLink is a link in a process that may end, or not answer.
type distantLink struct {
	err    error
	remark string
	holes  int // that last
}

func (l *distantLink) Name() string     { return "apiserver-a/etcd/endpoints" }
func (l *distantLink) Connections() int { return 1 }
func (l *distantLink) Blackhole(context.Context) (Hole, error) {
	if l.err != nil {
		return nil, l.err
	}
	l.holes++
	return distantBreak{l}, nil
}

func (l *distantLink) Latency(context.Context, time.Duration, time.Duration, uint64) (Delay, error) {
	if l.err != nil {
		return nil, l.err
	}
	l.holes++
	return distantBreak{l}, nil
}

func (l *distantLink) Reset(context.Context) (int, error) { return 1, l.err }

type distantBreak struct{ link *distantLink }

func (b distantBreak) Clear(context.Context) error {
	if b.link.err != nil {
		return b.link.err
	}
	b.link.holes--
	return nil
}

func (b distantBreak) Swallowed() int64    { return 9 }
func (b distantBreak) Connections() int    { return 1 }
func (b distantBreak) Established() int64  { return 1 }
func (b distantBreak) Chunks() int64       { return 4 }
func (b distantBreak) Held() time.Duration { return time.Second }
func (b distantBreak) Remark() string      { return b.link.remark }

type distantVictims struct {
	*victims
	link *distantLink
}

func (v *distantVictims) Links() map[string]Link { return map[string]Link{v.link.Name(): v.link} }

func (v *distantVictims) APIServerRevision(string, string) int64 { return 0 }

// What is said of counters besides their values stands in the evidence, and a
// link that cannot be mended stays broken until it can.
func TestLinksMayBeElsewhere(t *testing.T) {
	ctx := t.Context()
	for _, name := range []string{"link-blackhole", "link-latency"} {
		link := &distantLink{}
		i := NewInjector(&distantVictims{link: link})
		injected, err := i.Inject(ctx, name, "*/etcd/*", nil)
		if err != nil {
			t.Fatal(err)
		}
		if injected.Proof.Count == 0 || strings.Contains(injected.Proof.Evidence, ";") {
			t.Errorf("%s: %+v", name, injected.Proof)
		}
		link.remark = "its process has ended"
		if p := i.List()[0].Proof; p.Count != injected.Proof.Count || !strings.HasSuffix(p.Evidence, "; its process has ended") {
			t.Errorf("%s: %+v", name, p)
		}
		link.err = errors.New("no answer")
		if _, err := i.Clear(ctx, name, ""); err == nil || !i.List()[0].ClearedAt.IsZero() {
			t.Errorf("%s: cleared without an answer", name)
		}
		link.err = nil
		if _, err := i.Clear(ctx, name, ""); err != nil || link.holes != 0 {
			t.Errorf("%s: %v, %d last", name, err, link.holes)
		}
	}
}

func TestLinksThatDoNotAnswerAreNotBroken(t *testing.T) {
	i := NewInjector(&distantVictims{link: &distantLink{err: errors.New("no answer")}})
	for _, name := range []string{"link-blackhole", "link-latency", "link-reset"} {
		if _, err := i.Inject(t.Context(), name, "*/etcd/*", nil); err == nil || !strings.Contains(err.Error(), "no answer") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if left := i.List(); len(left) != 0 {
		t.Errorf("listed: %v", left)
	}
}
