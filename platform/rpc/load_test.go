package rpc

import (
	"errors"
	"math"
	"testing"
	"time"

	orcav3 "github.com/cncf/xds/go/xds/data/orca/v3"
	"google.golang.org/protobuf/proto"
)

// 100 requests a second of 20 ms each, every tenth of which fails, keep two
// requests under way (Little's law), so half of four cores.
func TestLoadReport(t *testing.T) {
	now := time.Date(2017, 10, 27, 14, 0, 0, 0, time.UTC)
	l := newLoad(now)
	l.cores = 4
	const took = 20 * time.Millisecond
	var due []time.Time
	for i := range 1000 {
		now = now.Add(10 * time.Millisecond)
		for len(due) > 0 && !due[0].After(now) {
			var err error
			if i%10 == 0 {
				err = errors.New("no")
			}
			l.ended(due[0], took, err)
			due = due[1:]
		}
		l.began(now)
		due = append(due, now.Add(took))
	}
	var r orcav3.OrcaLoadReport
	if err := proto.Unmarshal([]byte(l.report(now)), &r); err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct{ got, want, off float64 }{
		"rps":         {r.GetRpsFractional(), 100, 5},
		"eps":         {r.GetEps(), 10, 3},
		"utilization": {r.GetApplicationUtilization(), 0.5, 0.05},
		"in flight":   {r.GetNamedMetrics()[InFlightMetric], 2, 0},
		"latency":     {r.GetNamedMetrics()[LatencyMetric], 20, 0.01},
	} {
		if math.Abs(c.got-c.want) > c.off {
			t.Errorf("%s is %v, want %v ± %v", what, c.got, c.want, c.off)
		}
	}
}
