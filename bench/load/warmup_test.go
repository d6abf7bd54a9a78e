package load_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	testpb "google.golang.org/grpc/interop/grpc_testing"

	"breakbank/bench/load"
)

// TestAWarmUpSendsNothingTwice: what the load sends after it has other identifiers
// and numbers, in both kinds of loop, and again the same under another run's name.
func TestAWarmUpSendsNothingTwice(t *testing.T) {
	t.Parallel()
	run := func(closed int, runID string) (messages []string, sizes []int32, r *load.Result) {
		var mu sync.Mutex
		target := serve(t, &server{}, grpc.UnaryInterceptor(func(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
			if r, ok := request.(*testpb.SimpleRequest); ok {
				mu.Lock()
				messages, sizes = append(messages, r.GetResponseStatus().GetMessage()), append(sizes, r.GetResponseSize())
				mu.Unlock()
			}
			return handler(ctx, request)
		}))
		s := spec(target)
		s.Duration, s.WarmUp = 100*time.Millisecond, 100*time.Millisecond
		s.Method.Data = `{"response_status": {"message": "{{.UUID}}"}, "response_size": {{.Seq}}}`
		if closed > 0 {
			s.Closed, s.RatePerS = closed, 0
		}
		r = mustRun(t, s, load.Options{RunID: runID})
		slices.Sort(messages)
		slices.Sort(sizes)
		return messages, sizes, r
	}
	once := func(messages []string, sizes []int32) {
		t.Helper()
		if len(messages) == 0 || len(slices.Compact(slices.Clone(messages))) != len(messages) || len(slices.Compact(slices.Clone(sizes))) != len(sizes) {
			t.Errorf("of %d requests some were the same: %s", len(messages), strings.Join(messages[:min(4, len(messages))], ", "))
		}
	}
	messages, sizes, first := run(0, "a")
	once(messages, sizes)
	if len(sizes) == 0 || sizes[0] != 0 || int(sizes[len(sizes)-1]) != len(sizes)-1 {
		t.Errorf("the numbers of %d requests do not go on: %v", len(sizes), sizes)
	}
	again, _, second := run(0, "b")
	if !slices.Equal(messages, again) || first.ScheduleSHA256 != second.ScheduleSHA256 {
		t.Errorf("the same seed sends something else: %d and %d requests", len(messages), len(again))
	}
	messages, sizes, _ = run(3, "c")
	once(messages, sizes)
}
