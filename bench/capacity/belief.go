package capacity

import "math"

// belief is what probes say of a capacity: a posterior distribution over a grid.
//
// Whether a probe at rate x meets the objective is a coin whose chances fall as
// the rate rises, the psychometric function of those who measure senses:
//
//	P(met at x) = ε + (1 - 2ε) / (1 + exp((ln x - ln c) / w))
//
//	1 |‾‾‾‾‾\              c  the capacity: met as often as missed
//	½ |      \             w  how wide the edge is: 0 for a target that is the
//	0 |       \______         same in every probe
//	       c      rate     ε  whatever has nothing to do with the rate
//
// Before any probe, ln c is spread evenly over the grid, and ln w from widthMin to
// widthMax. A probe multiplies each point of the grid by the chance it gives what
// happened (Bayes). It does not matter that the rates of later probes were chosen
// after earlier ones had been seen: what is inferred depends on what happened,
// not on why it was tried.
//
// Source: A. Watson and D. Pelli, QUEST (Perception & Psychophysics 33, 1983); L.
// Kontsevich and C. Tyler, Bayesian adaptive estimation of psychometric slope and
// threshold (Vision Research 39, 1999), who estimate the width as well; F.
// Wichmann and N. Hill, The psychometric function (Perception & Psychophysics 63,
// 2001), for ε.
type belief struct {
	low, step float64 // ln of the first capacity, and from one to the next
	widths    []float64
	// logs are log probabilities by capacity, and in it by width; their sum is
	// not 1.
	logs []float64
	sums []float64 // by capacity: scratch of quantiles
}

const (
	// lapse is ε: one probe in fifty meets or misses for reasons of its own.
	lapse = 0.02
	// widthMin and widthMax bound w. A probe's verdict changes from 88 % to 12 %
	// within 4 w: 0.4 % of the capacity, to a factor of 2.2.
	widthMin, widthMax = 0.001, 0.2
	// widthPoints is how many widths there are on the grid.
	widthPoints = 12
	// pointsEach is how many capacities are on the grid for each step of the
	// resolution.
	pointsEach = 16
)

// newBelief spreads it from one rate to another.
func newBelief(lowPerS, highPerS, resolution float64) *belief {
	b := &belief{low: math.Log(lowPerS), step: math.Log1p(resolution) / pointsEach}
	for i := range widthPoints {
		b.widths = append(b.widths, widthMin*math.Pow(widthMax/widthMin, float64(i)/(widthPoints-1)))
	}
	n := int(math.Ceil((math.Log(highPerS)-b.low)/b.step)) + 1
	b.logs = make([]float64, n*widthPoints)
	b.sums = make([]float64, n)
	return b
}

// learn takes a probe in.
func (b *belief) learn(perS float64, met bool) {
	at := math.Log(perS)
	for i := range b.sums {
		above := at - b.capacity(i)
		for k, w := range b.widths {
			chance := lapse + (1-2*lapse)/(1+math.Exp(above/w))
			if !met {
				chance = 1 - chance
			}
			b.logs[i*widthPoints+k] += math.Log(chance)
		}
	}
}

// capacity is ln of a capacity on the grid.
func (b *belief) capacity(i int) float64 { return b.low + float64(i)*b.step }

// quantiles are the capacities below which it lies with these probabilities, in
// rising order.
func (b *belief) quantiles(ps ...float64) []float64 {
	top := math.Inf(-1)
	for _, v := range b.logs {
		top = max(top, v)
	}
	total := 0.0
	for i := range b.sums {
		b.sums[i] = 0
		for k := range b.widths {
			b.sums[i] += math.Exp(b.logs[i*widthPoints+k] - top)
		}
		total += b.sums[i]
	}
	found := make([]float64, len(ps))
	i, below := 0, 0.0
	for n, p := range ps {
		for i < len(b.sums)-1 && below+b.sums[i] < p*total {
			below += b.sums[i]
			i++
		}
		// Each point stands for a step around it.
		part := (p*total - below) / b.sums[i]
		found[n] = math.Exp(b.capacity(i) + (part-0.5)*b.step)
	}
	return found
}
