package rpc

import (
	"math/bits"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
)

const (
	// statusCodes is how many codes gRPC has: 0 to 16 (codes.Unauthenticated).
	statusCodes = 17

	// Durations are counted in buckets that double from durationFirst, as those
	// of routers do (platform/router): the last but one, 8.192 s, is under the
	// longest that anything here waits.
	durationFirst   = 250 * time.Microsecond
	durationBuckets = 17
)

// meters are those of all servers of this process, by service. They outlive a
// server: a counter that began again with each instance would be read as a
// restart.
var meters = struct {
	mu        sync.Mutex
	byService map[string]*Meter
}{byService: map[string]*Meter{}}

// Meter counts the requests of one service in this process. A [Server] has one;
// others are for edges that serve something other than gRPC. It is safe for
// concurrent use, and counting is a few atomic additions.
type Meter struct {
	service  string
	inFlight atomic.Int64
	refused  [2]atomic.Int64 // see refusalReasons
	methods  sync.Map        // string → *methodMeter
}

// refusalReasons are why a request is refused.
var refusalReasons = [2]string{RefusedWrongService, RefusedWrongInstance}

type methodMeter struct {
	codes     [statusCodes]atomic.Int64
	durations [durationBuckets]atomic.Int64
	tookNs    atomic.Int64
}

// MeterOf returns the meter of a service. Services must be of a bounded number.
func MeterOf(service string) *Meter {
	meters.mu.Lock()
	defer meters.mu.Unlock()
	m, ok := meters.byService[service]
	if !ok {
		m = &Meter{service: service}
		meters.byService[service] = m
	}
	return m
}

// Began counts a request that is taken.
func (m *Meter) Began() { m.inFlight.Add(1) }

// Ended counts its end. Methods must be of a bounded number: names of the
// service's own, never a caller's.
func (m *Meter) Ended(method string, code codes.Code, took time.Duration) {
	m.inFlight.Add(-1)
	found, ok := m.methods.Load(method)
	if !ok {
		found, _ = m.methods.LoadOrStore(method, new(methodMeter))
	}
	if code >= statusCodes {
		code = codes.Unknown // as a client reads it
	}
	counted := found.(*methodMeter)
	counted.codes[code].Add(1)
	counted.durations[durationBucket(took)].Add(1)
	counted.tookNs.Add(int64(took))
}

func (m *Meter) refuse(reason string) {
	for i, r := range refusalReasons {
		if r == reason {
			m.refused[i].Add(1)
		}
	}
}

// durationBucket finds the first bucket whose bound is not under d. Bucket i
// ends at durationFirst·2^i; the last has no end.
func durationBucket(d time.Duration) int {
	if d <= 0 {
		return 0
	}
	return min(bits.Len64(uint64((d-1)/durationFirst)), durationBuckets-1)
}
