package fault

import (
	"context"
	"fmt"
	"time"
)

// Limits of link-latency's parameters.
const (
	latencyMsMax = int64(LatencyMax / time.Millisecond)
	// latencyMsDefault is what a script means that gives no latency: a round
	// trip gets 400 ms longer, as on a bad line across the world, and nothing
	// on the links times out of it (a read from etcd has 10 s).
	latencyMsDefault = 200
	// latencySeedDefault is used when a script gives no seed: a script without
	// one replays, too.
	latencySeedDefault = 1
)

var linkLatency = Kind{
	Name:    "link-latency",
	About:   "what enters the link is held back each way; latency_ms (200), jitter_ms (0), seed (1)",
	Targets: linkNames,
	Inject: func(ctx context.Context, v Victims, target string, params map[string]string) (Active, error) {
		link, err := linkOf(v, target)
		if err != nil {
			return nil, err
		}
		if err := onlyKnown(params, "latency_ms", "jitter_ms", "seed"); err != nil {
			return nil, err
		}
		delayMs, err := number(params, "latency_ms", latencyMsDefault, latencyMsMax)
		if err != nil {
			return nil, err
		}
		jitterMs, err := number(params, "jitter_ms", 0, latencyMsMax)
		if err != nil {
			return nil, err
		}
		seed, err := number(params, "seed", latencySeedDefault, -1)
		if err != nil {
			return nil, err
		}
		delay, err := link.Latency(ctx,
			time.Duration(delayMs)*time.Millisecond, time.Duration(jitterMs)*time.Millisecond, uint64(seed))
		if err != nil {
			return nil, err
		}
		return &slowLink{delay}, nil
	},
}

type slowLink struct{ delay Delay }

func (s *slowLink) Clear(ctx context.Context) error { return s.delay.Clear(ctx) }

func (s *slowLink) Proof() Proof {
	chunks, mean := s.delay.Chunks(), time.Duration(0)
	if chunks > 0 {
		mean = s.delay.Held() / time.Duration(chunks)
	}
	return Proof{
		Count:    chunks,
		Evidence: fmt.Sprintf("%d reads held back, by %v on average", chunks, mean.Round(time.Microsecond)) + remarkOn(s.delay),
	}
}
