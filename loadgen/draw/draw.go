// Package draw is where a load gets its randomness from: streams keyed by seed,
// load and purpose, whose draws are the same under every version of Go and on
// every processor.
package draw

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"math/bits"
	"math/rand/v2"
)

// Stream is one purpose's own source of randomness. A purpose that draws more
// or less than before does not move the draws of the others.
//
// Only the raw 64-bit outputs of PCG are taken from math/rand/v2. What is made
// of them is written out here, so that a seed means the same schedule under
// every version of Go and on every processor.
type Stream struct{ pcg *rand.PCG }

// New keys a stream by seed, load and purpose.
func New(seed uint64, load, purpose string) Stream {
	key := binary.BigEndian.AppendUint64([]byte("breakbank load "), seed)
	key = append(append(append(key, load...), 0), purpose...)
	sum := sha256.Sum256(key)
	return Stream{rand.NewPCG(binary.BigEndian.Uint64(sum[:8]), binary.BigEndian.Uint64(sum[8:16]))}
}

// Uint64 draws 64 bits: a seed for what draws by itself.
func (s Stream) Uint64() uint64 { return s.pcg.Uint64() }

// Below draws evenly from 0 to n-1, without the bias of a plain remainder
// (Lemire 2019, "Fast random integer generation in an interval").
func (s Stream) Below(n uint64) uint64 {
	hi, lo := bits.Mul64(s.pcg.Uint64(), n)
	if lo < n {
		for tooLow := -n % n; lo < tooLow; {
			hi, lo = bits.Mul64(s.pcg.Uint64(), n)
		}
	}
	return hi
}

// Unit draws from the open interval (0, 1): the middles of 2^52 equal cells.
func (s Stream) Unit() float64 {
	return (float64(s.pcg.Uint64()>>12) + 0.5) * 0x1p-52
}

// Exponential draws from the exponential law of mean 1.
func (s Stream) Exponential() float64 { return -Ln(s.Unit()) }

// Normal draws from the standard normal law by Marsaglia's polar method: a
// point of the unit disc, stretched. Its twin is thrown away for simplicity.
func (s Stream) Normal() float64 {
	for {
		x, y := 2*s.Unit()-1, 2*s.Unit()-1
		r := float64(x*x) + float64(y*y)
		if r < 1 && r > 0 {
			return x * math.Sqrt(-2*Ln(r)/r)
		}
	}
}

// Ln and Exp are written out because math.Log and math.Exp are assembly on some
// processors and may differ there in the last bit, which a hash would show.
// Their error is some 1e-15 of the value: far below a nanosecond or a penny.
// Every product that meets a sum is rounded by an explicit conversion, without
// which Go may fuse the two where the processor can. Frexp, Ldexp and Sqrt are
// exact.

// Ln is the natural logarithm of x > 0: with x = m 2^e and m in [√½, √2),
// ln m = 2 artanh((m-1)/(m+1)), as a series in its odd powers.
func Ln(x float64) float64 {
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

// Exp is e^x: with x = k ln 2 + r and |r| ≤ ln 2 / 2, e^r by Taylor's series.
func Exp(x float64) float64 {
	k := math.Round(x / math.Ln2)
	r := x - float64(k*math.Ln2)
	sum := 1.0
	for n := 17; n >= 1; n-- { // 0.347^18 / 18! is below 1e-24.
		sum = 1 + float64(sum*r)/float64(n)
	}
	return math.Ldexp(sum, int(k))
}

// LogNormal draws from the log-normal law with the given mean and with sigma as
// the deviation of its logarithm. The mean of the law is e^(μ+σ²/2), so μ is
// ln mean - σ²/2.
func (s Stream) LogNormal(mean, sigma float64) float64 {
	mu := Ln(mean) - sigma*sigma/2
	return Exp(mu + float64(sigma*s.Normal()))
}
