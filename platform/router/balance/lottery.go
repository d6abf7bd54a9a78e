package balance

import "math/rand/v2"

// lotteryTries is how often a draw that is refused is repeated before the
// list is looked through.
const lotteryTries = 8

// lottery draws endpoints in proportion to their weights by refusing some of
// the draws, so that nothing need be built or kept for a list. Where all
// weights are equal it refuses none.
type lottery struct {
	max float64 // the greatest weight met, of which others are a share
}

// admits lets an endpoint of weight w through with probability w/max.
func (l *lottery) admits(rng *rand.Rand, e *Endpoint) bool {
	w := e.weight()
	if w >= l.max {
		l.max = w
		return true
	}
	return rng.Float64()*l.max < w
}

// one draws an index in proportion to weight.
func (l *lottery) one(rng *rand.Rand, endpoints []Endpoint) int {
	return l.oneOf(rng, endpoints, nil)
}

// oneOf draws among the indices in among, or all when it is nil.
func (l *lottery) oneOf(rng *rand.Rand, endpoints []Endpoint, among []int) int {
	for range lotteryTries {
		i := nth(among, rng.IntN(size(endpoints, among)))
		if l.admits(rng, &endpoints[i]) {
			return i
		}
	}
	// Either all are light, or the heaviest has gone: look again.
	l.max = 0
	total := 0.0
	for k := range size(endpoints, among) {
		w := endpoints[nth(among, k)].weight()
		l.max = max(l.max, w)
		total += w
	}
	left := rng.Float64() * total
	i := 0
	for k := range size(endpoints, among) {
		i = nth(among, k)
		if left -= endpoints[i].weight(); left < 0 {
			break
		}
	}
	return i
}

// pair draws one by weight and a second, other one; second is -1 if that draw
// was refused. With fair comparisons between the two, each endpoint then gets
// its share of weight w/W exactly, however few there are: the chance that i
// comes alone or wins is
//
//	w_i/W · 1/(n−1) · Σ_{j≠i} ((1−w_j) + w_j/2) + Σ_{j≠i} w_j/W · 1/(n−1) · w_i/2 = w_i/W
//
// (weights as shares of the greatest). Two draws by weight without the
// refusal would give two endpoints half each whatever their weights.
func (l *lottery) pair(rng *rand.Rand, endpoints []Endpoint, among []int) (first, second int) {
	n := size(endpoints, among)
	first = l.oneOf(rng, endpoints, among)
	if n == 1 {
		return first, -1
	}
	// Uniform among the others: draw of n−1 and let the last stand in for
	// the first, which must not come twice.
	second = nth(among, rng.IntN(n-1))
	if second == first {
		second = nth(among, n-1)
	}
	if !l.admits(rng, &endpoints[second]) {
		second = -1
	}
	return first, second
}

func size(endpoints []Endpoint, among []int) int {
	if among == nil {
		return len(endpoints)
	}
	return len(among)
}

func nth(among []int, k int) int {
	if among == nil {
		return k
	}
	return among[k]
}
