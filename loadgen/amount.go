package loadgen

import "math"

// A card payment is log-normal about £20 (incident.md, "The bank's numbers"):
// many coffees, some shoes. The mean of a log-normal law is e^(μ+σ²/2), so μ is
// chosen for a mean of amountMeanMinor; its median is then some £14.50.
const (
	amountMeanMinor  = 20_00
	amountSigma      = 0.8
	amountLeastMinor = 1
	amountMostMinor  = 2_000_00 // about 6 σ; beyond it, a tap would ask for a PIN.
)

// amountMinor draws an amount in pence.
func amountMinor(s stream) int64 {
	mu := ln(amountMeanMinor) - amountSigma*amountSigma/2
	pence := math.Round(exp(mu + float64(amountSigma*s.normal())))
	return min(max(int64(pence), amountLeastMinor), amountMostMinor)
}
