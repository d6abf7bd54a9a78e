package router

import (
	"hash/fnv"
	"math/rand/v2"
)

// newRand returns a source of randomness of a name's own, so that what one
// draws does not change what another does.
func newRand(seed uint64, name string) *rand.Rand {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name)) // a hash never fails
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}
