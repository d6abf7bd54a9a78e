package loadgen

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"math/bits"
	"math/rand/v2"
)

// stream is one purpose's own source of randomness. A purpose that draws more
// or less than before does not move the draws of the others.
//
// Only the raw 64-bit outputs of PCG are taken from math/rand/v2. What is made
// of them is written out here, so that a seed means the same schedule under
// every version of Go and on every processor.
type stream struct{ pcg *rand.PCG }

// newStream keys a stream by seed, load and purpose.
func newStream(seed uint64, load, purpose string) stream {
	key := binary.BigEndian.AppendUint64([]byte("breakbank load "), seed)
	key = append(append(append(key, load...), 0), purpose...)
	sum := sha256.Sum256(key)
	return stream{rand.NewPCG(binary.BigEndian.Uint64(sum[:8]), binary.BigEndian.Uint64(sum[8:16]))}
}

// below draws evenly from 0 to n-1, without the bias of a plain remainder
// (Lemire 2019, "Fast random integer generation in an interval").
func (s stream) below(n uint64) uint64 {
	hi, lo := bits.Mul64(s.pcg.Uint64(), n)
	if lo < n {
		for tooLow := -n % n; lo < tooLow; {
			hi, lo = bits.Mul64(s.pcg.Uint64(), n)
		}
	}
	return hi
}

// unit draws from the open interval (0, 1): the middles of 2^52 equal cells.
func (s stream) unit() float64 {
	return (float64(s.pcg.Uint64()>>12) + 0.5) * 0x1p-52
}

// exponential draws from the exponential law of mean 1.
func (s stream) exponential() float64 { return -ln(s.unit()) }

// normal draws from the standard normal law by Marsaglia's polar method: a
// point of the unit disc, stretched. Its twin is thrown away for simplicity.
func (s stream) normal() float64 {
	for {
		x, y := 2*s.unit()-1, 2*s.unit()-1
		r := float64(x*x) + float64(y*y)
		if r < 1 && r > 0 {
			return x * math.Sqrt(-2*ln(r)/r)
		}
	}
}

// ln and exp are written out because math.Log and math.Exp are assembly on some
// processors and may differ there in the last bit, which a hash would show.
// Their error is some 1e-15 of the value: far below a nanosecond or a penny.
// Every product that meets a sum is rounded by an explicit conversion, without
// which Go may fuse the two where the processor can. Frexp, Ldexp and Sqrt are
// exact.

// ln is the natural logarithm of x > 0: with x = m 2^e and m in [√½, √2),
// ln m = 2 artanh((m-1)/(m+1)), as a series in its odd powers.
func ln(x float64) float64 {
	m, e := math.Frexp(x)
	if m < math.Sqrt2/2 {
		m, e = 2*m, e-1
	}
	z := (m - 1) / (m + 1) // |z| < 0.172, so z^25 is below 1e-19.
	z2 := float64(z * z)
	sum := 0.0
	for k := 23; k >= 1; k -= 2 {
		sum = float64(sum*z2) + 1/float64(k)
	}
	return float64(2*z*sum) + float64(float64(e)*math.Ln2)
}

// exp is e^x: with x = k ln 2 + r and |r| ≤ ln 2 / 2, e^r by Taylor's series.
func exp(x float64) float64 {
	k := math.Round(x / math.Ln2)
	r := x - float64(k*math.Ln2)
	sum := 1.0
	for n := 17; n >= 1; n-- { // 0.347^18 / 18! is below 1e-24.
		sum = 1 + float64(sum*r)/float64(n)
	}
	return math.Ldexp(sum, int(k))
}
