package recording

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"breakbank/loadgen"
)

func filled(names []string) *Recorder {
	r := NewRecorder(Options{Journeys: names})
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range 400_000 {
		at := int64(i) * int64(time.Second) / 10_000
		took := int64(500e3 * math.Exp(0.5*rnd.NormFloat64()))
		r.Record(&loadgen.Record{
			Journey: loadgen.Journey(i % len(names)), IntendedNs: at, SentNs: at + took/10, DoneNs: at + took,
			Decision: loadgen.Decision{Outcome: loadgen.OK},
		})
	}
	return r
}

var sixJourneys = []string{"a", "b", "c", "d", "e", "f"}

// BenchmarkShare is how long a snapshot holds up recording.
func BenchmarkShare(b *testing.B) {
	r := filled(sixJourneys)
	for b.Loop() {
		r.share()
	}
}
