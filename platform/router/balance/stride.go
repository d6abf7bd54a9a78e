package balance

import "math"

// Constants of gRPC's scheduler (C-core static_stride_scheduler.cc kMaxWeight,
// kMaxRatio, kMinRatio; grpc-go has the same first one).
const (
	strideMax      = math.MaxUint16
	strideMaxRatio = 10.0
	strideMinRatio = 0.01
)

// stride schedules indices in proportion to fixed weights, without a queue
// and without state but a counter (gRFC A58's static stride scheduler, in
// place of an earliest-deadline-first heap). The counter goes round the
// indices again and again; in round g index i is taken if g·wᵢ mod max has
// just wrapped, which happens wᵢ times in max rounds, evenly spaced.
//
//	w/max = 2/3:  round  0 1 2 3 4 5 …
//	              taken  – ✓ ✓ – ✓ ✓ …
type stride struct {
	weights []uint16
}

// build sets the weights, of which there is at least one and all are positive.
func (s *stride) build(weights []float64) {
	sum, most := 0.0, 0.0
	for _, w := range weights {
		sum += w
		most = max(most, w)
	}
	mean := sum / float64(len(weights))
	// No weight is so great that finding the next takes many rounds, nor so
	// small that it is never found.
	most = min(most, mean*strideMaxRatio)
	least := max(1, math.Round(mean/most*strideMinRatio*strideMax))
	s.weights = s.weights[:0]
	for _, w := range weights {
		s.weights = append(s.weights, uint16(max(least, math.Round(min(w, most)/most*strideMax))))
	}
}

// next returns the next index, advancing the counter.
func (s *stride) next(counter *uint64) int {
	n := uint64(len(s.weights))
	for {
		i, round := *counter%n, *counter/n
		*counter++
		w := uint64(s.weights[i])
		// Neighbours of equal weight are half a period apart, so that they do
		// not all miss the same round.
		if (w*round+i*(strideMax/2))%strideMax >= strideMax-w {
			return int(i)
		}
	}
}
