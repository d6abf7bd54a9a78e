package rpc

import (
	"math"
	"runtime"
	"sync"
	"time"

	orcav3 "github.com/cncf/xds/go/xds/data/orca/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// What a server says of itself goes with an answer to whoever asked for it,
// as gRFC A51 has it: an xds.data.orca.v3.OrcaLoadReport in a trailer. Beside
// its own fields there are two named metrics, which Prequal's probes need.
const (
	// LoadWantMetadata asks a server to say how loaded it is.
	LoadWantMetadata = "bb-load-want"
	// LoadTrailer carries the report.
	LoadTrailer = "endpoint-load-metrics-bin"
	// InFlightMetric is how many requests are being served.
	InFlightMetric = "in_flight"
	// LatencyMetric is what requests took lately, in milliseconds.
	LatencyMetric = "latency_ms"
)

const (
	// loadDecay is the time constant of the averages: long beside a request,
	// short beside what a balancer wants to follow.
	loadDecay = time.Second
	// loadTick is how often rates are brought up to date.
	loadTick = 100 * time.Millisecond
)

// load is what a server knows of its own load. It is safe for concurrent use.
type load struct {
	cores float64

	mu       sync.Mutex
	inFlight int
	at       time.Time // of the last change of inFlight
	latency  float64   // ms, a moving average over requests
	busy     float64   // requests being served, a moving average over time

	slotAt       time.Time // when the counts began
	done, failed int
	qps, eps     float64
}

func newLoad(now time.Time) *load {
	return &load{cores: float64(runtime.GOMAXPROCS(0)), at: now, slotAt: now}
}

// began notes a request.
func (l *load) began(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pass(now)
	l.inFlight++
}

// ended notes its end.
func (l *load) ended(now time.Time, took time.Duration, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pass(now)
	l.inFlight--
	l.done++
	if status.Code(err) != codes.OK {
		l.failed++
	}
	// A tenth of each: the last few requests are what counts.
	const share = 0.1
	ms := float64(took) / float64(time.Millisecond)
	if l.latency == 0 {
		l.latency = ms
	}
	l.latency += share * (ms - l.latency)
}

// pass accounts for the time since the last change.
func (l *load) pass(now time.Time) {
	since := now.Sub(l.at)
	if since <= 0 {
		return
	}
	l.at = now
	l.busy += (1 - math.Exp(-since.Seconds()/loadDecay.Seconds())) * (float64(l.inFlight) - l.busy)
	slot := now.Sub(l.slotAt)
	if slot < loadTick {
		return
	}
	weight := 1 - math.Exp(-slot.Seconds()/loadDecay.Seconds())
	l.qps += weight * (float64(l.done)/slot.Seconds() - l.qps)
	l.eps += weight * (float64(l.failed)/slot.Seconds() - l.eps)
	l.slotAt, l.done, l.failed = now, 0, 0
}

// report is the trailer's value. Utilization is the share of the cores that
// requests keep busy, if each keeps one.
func (l *load) report(now time.Time) string {
	l.mu.Lock()
	l.pass(now)
	r := &orcav3.OrcaLoadReport{
		RpsFractional: l.qps, Eps: l.eps, ApplicationUtilization: l.busy / l.cores,
		NamedMetrics: map[string]float64{InFlightMetric: float64(l.inFlight), LatencyMetric: l.latency},
	}
	l.mu.Unlock()
	raw, err := proto.Marshal(r)
	if err != nil {
		return "" // numbers and names of ours can always be encoded
	}
	return string(raw)
}
