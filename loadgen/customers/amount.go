package customers

import (
	"math"

	"breakbank/loadgen/draw"
)

// A card payment is log-normal about £20 (incident.md, "The bank's numbers"):
// many coffees, some shoes. Its median is then some £14.50.
const (
	amountMeanMinor  = 20_00
	amountSigma      = 0.8
	amountLeastMinor = 1
	amountMostMinor  = 2_000_00 // about 6 σ; beyond it, a tap would ask for a PIN.
)

// amountMinor draws an amount in pence.
func amountMinor(s draw.Stream) int32 {
	pence := math.Round(s.LogNormal(amountMeanMinor, amountSigma))
	return int32(min(max(int64(pence), amountLeastMinor), amountMostMinor))
}
