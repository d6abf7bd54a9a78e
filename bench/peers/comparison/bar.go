package comparison

import "breakbank/bench/stats"

// Verdicts on a bar.
const (
	Met         = "met"
	Missed      = "missed"
	Undecided   = "undecided"
	NotMeasured = "not measured"
)

// Bar is a thing that must hold, and whether it does.
type Bar struct {
	Case string `json:"case"`
	// Says is the bar in words, Measured what was found, Limit what Measured must
	// not exceed, or with AtLeast not fall below, Aim what it had better not.
	Says     string          `json:"says"`
	Measured *stats.Estimate `json:"measured,omitempty"`
	Unit     string          `json:"unit"`
	Limit    float64         `json:"limit"`
	AtLeast  bool            `json:"at_least,omitempty"`
	Aim      *float64        `json:"aim,omitempty"`
	// Verdict is met, missed or undecided: the whole interval is on one side of
	// the limit, or it is not. AimVerdict is the same of the aim. Without a
	// measurement it is "not measured", and Why says why.
	Verdict    string `json:"verdict"`
	AimVerdict string `json:"aim_verdict,omitempty"`
	Why        string `json:"why,omitempty"`
}

// Judge holds the bar against what was measured; nil leaves it not measured, for
// a reason.
func (b *Bar) Judge(measured *stats.Estimate, otherwise string) {
	if measured == nil {
		b.Verdict, b.Why = NotMeasured, otherwise
		return
	}
	b.Measured, b.Verdict = measured, side(*measured, b.Limit, b.AtLeast)
	if b.Aim != nil {
		b.AimVerdict = side(*measured, *b.Aim, b.AtLeast)
	}
}

// side says on which side of a limit an interval lies.
func side(e stats.Estimate, limit float64, atLeast bool) string {
	within, beyond := e.High <= limit, e.Low > limit
	if atLeast {
		within, beyond = e.Low >= limit, e.High < limit
	}
	switch {
	case within:
		return Met
	case beyond:
		return Missed
	}
	return Undecided
}
