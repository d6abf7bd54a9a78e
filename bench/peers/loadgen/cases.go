package loadgen

import (
	"fmt"
	"time"

	"breakbank/bench/peers/comparison"
	"breakbank/loadgen/nullserver"
)

// Kind is what a case asks.
type Kind string

// Kinds of cases.
const (
	// Saturation: as many requests as go through, and what each costs.
	Saturation Kind = "saturation"
	// Schedule: so many requests a second, and how well they keep to it.
	Schedule Kind = "schedule"
	// Truth: what is reported of a server whose every answer is known.
	Truth Kind = "truth"
)

const (
	// streams is how many requests a generator may have under way, on all its
	// connections together, if it has such a bound: those that wait for answers
	// need one. 64 is what the peers of the router get too, and a few more than
	// ghz takes by itself, which is 50.
	streams = 64
	// many is how many connections there are where there is more than one.
	many = 16
	// schedulePerS is the rate at which a generator must keep to its schedule.
	schedulePerS = 10_000
)

// Case is one way of asking a generator for load.
type Case struct {
	Name string `json:"name"`
	Kind Kind   `json:"kind"`
	// Connections are what the requests share, Streams how many of them a
	// generator that is bounded may have under way.
	Connections int `json:"connections"`
	Streams     int `json:"streams"`
	// RatePerS is 0 at saturation.
	RatePerS float64 `json:"rate_per_s,omitempty"`
	// Behaviour is the server's, as nullserver.Parse reads it, and LastsS how
	// long the load lasts, in seconds; both of a Truth.
	Behaviour string  `json:"behaviour,omitempty"`
	LastsS    float64 `json:"lasts_s,omitempty"`
	// Fails says that the truth is a share of failures, not times.
	Fails bool `json:"fails,omitempty"`
}

// Cases are all that a generator is put through.
//
// At 2000/s a stall of one second keeps back 2000 requests: more than any
// generator with a bound has room for. At 100/s and the bimodal server, 26 are
// under way on average: everybody has room, nothing is hidden, and all should
// report the same.
var Cases = []Case{
	saturated(1), saturated(many),
	{
		Name: fmt.Sprintf("%d/s, %s", schedulePerS, comparison.Plural(many, "connection")),
		Kind: Schedule, Connections: many, Streams: streams, RatePerS: schedulePerS,
	},
	truth("the server stalls for 1 s of every 10 s", "stall:1s/10s", 2000, 10*time.Second),
	truth("the server takes 200 ms, and 800 ms for 10 %", "bimodal:200ms/800ms/10%", 100, 3*time.Second),
	failing("the server fails exactly 1 %", "fail:1%", 2000, time.Second),
}

// QuickCases leave out what takes long, and stall more often.
func QuickCases() []Case {
	stalls := truth("the server stalls for 1 s of every 3 s", "stall:1s/3s", 2000, 4*time.Second)
	return []Case{Cases[1], Cases[2], stalls, Cases[5]}
}

func saturated(connections int) Case {
	return Case{
		Name: fmt.Sprintf("saturation, %s", comparison.Plural(connections, "connection")),
		Kind: Saturation, Connections: connections, Streams: streams,
	}
}

func truth(name, behaviour string, perS float64, lasts time.Duration) Case {
	return Case{
		Name: fmt.Sprintf("%s; %g/s for %v", name, perS, lasts), Kind: Truth, Connections: many, Streams: streams,
		RatePerS: perS, Behaviour: behaviour, LastsS: lasts.Seconds(),
	}
}

func failing(name, behaviour string, perS float64, lasts time.Duration) Case {
	c := truth(name, behaviour, perS, lasts)
	c.Fails = true
	return c
}

// lasts is how long the load of a Truth lasts.
func (c Case) lasts() time.Duration { return time.Duration(c.LastsS * float64(time.Second)) }

// behaviour is the server's.
func (c Case) behaviour() (nullserver.Behaviour, error) { return nullserver.Parse(c.Behaviour) }
