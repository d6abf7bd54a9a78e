package customers

import (
	"time"

	"breakbank/loadgen"
	"breakbank/loadgen/transport"
)

// paySession is a customer who opens the app, thinks, pays, and looks whether
// it shows. A look that fails before the payment ends it as failed: nothing was
// asked for. One after it leaves the customer without knowing, and so its
// outcome is unknown, although the payment was acknowledged.
var paySession = []loadgen.Step{
	{Looks: true, Build: buildRefresh, Judge: judgeLook},
	{Think: think, Build: buildTransferOut, Judge: judgePaid},
	{Looks: true, Build: buildRefresh, Judge: judgeLook},
}

// judgeLook judges a look at the balance within a session.
func judgeLook(v *loadgen.Visit, c *transport.Call) loadgen.Decision {
	d := judgeRefresh(v, c)
	switch {
	case d.Outcome == loadgen.OK:
		return loadgen.Decision{} // and on
	case v.Writing():
		d.Outcome = loadgen.Unknown
	}
	return d
}

// judgePaid judges the payment within a session, which goes on if it was
// accepted.
func judgePaid(v *loadgen.Visit, c *transport.Call) loadgen.Decision {
	if d := judgeTransferOut(v, c); d.Outcome != loadgen.OK {
		return d
	}
	return loadgen.Decision{}
}

// A pause between two looks at the screen is exponential with a mean of 7 s and
// never longer than ten times that: the think time of TPC-W (clause 5.3.1.1).
const (
	thinkMean = 7 * time.Second
	thinkMax  = 10 * thinkMean
)

func think(v *loadgen.Visit) time.Duration {
	return min(time.Duration(v.Rand().ExpFloat64()*float64(thinkMean)), thinkMax)
}
