package peers

import (
	"fmt"
	"slices"

	"breakbank/bench/peers/comparison"
)

// Load is how requests are offered.
type Load string

// Loads: as many as go through, or at a fixed rate.
const (
	// Saturation is a closed loop: a request begins when another is done.
	Saturation Load = "saturation"
	// Paced is an open loop: requests begin when they are due, done or not.
	Paced Load = "paced"
)

const (
	// pacedPerS is the rate at which wake-ups, not requests, are what a proxy
	// pays for on two cores (the bar of "at 4,000/s").
	pacedPerS = 4000
	// saturationStreams is how many requests are under way in the closed loop,
	// on all connections together.
	saturationStreams = 64
	// smallBytes is a message of a few fields, largeBytes four of HTTP/2's
	// default frames and a little over the default window of a stream.
	smallBytes = 64
	largeBytes = 64 << 10
)

// Case is one way of loading a peer.
type Case struct {
	Name        string `json:"name"`
	Load        Load   `json:"load"`
	Connections int    `json:"connections"`
	// RequestBytes and AnswerBytes are the sizes of the payloads.
	RequestBytes int `json:"request_bytes"`
	AnswerBytes  int `json:"answer_bytes"`
	// RatePerS is of a Paced case, Streams of one of Saturation.
	RatePerS float64 `json:"rate_per_s,omitempty"`
	Streams  int     `json:"streams,omitempty"`
}

// Cases are all that a peer is put through.
var Cases = []Case{
	saturated(1, smallBytes), saturated(16, smallBytes),
	paced(1, smallBytes), paced(16, smallBytes),
	saturated(1, largeBytes), saturated(16, largeBytes),
	// Large answers to small requests: both ways, so many would be more than two
	// cores can carry even without a proxy.
	answering(paced(1, smallBytes), largeBytes), answering(paced(16, smallBytes), largeBytes),
}

// messageBytes is the size of the larger message.
func (c Case) messageBytes() int { return max(c.RequestBytes, c.AnswerBytes) }

// messageSizes lists the sizes that there are in cases.
func messageSizes(cases []Case) []int {
	var sizes []int
	for _, c := range cases {
		if !slices.Contains(sizes, c.messageBytes()) {
			sizes = append(sizes, c.messageBytes())
		}
	}
	return sizes
}

// SmallCases are those with small messages.
func SmallCases() []Case {
	var small []Case
	for _, c := range Cases {
		if c.messageBytes() == smallBytes {
			small = append(small, c)
		}
	}
	return small
}

func saturated(connections, bytes int) Case {
	return Case{
		Name: fmt.Sprintf("saturation, %s, %s", comparison.Plural(connections, "connection"), size(bytes)),
		Load: Saturation, Connections: connections, RequestBytes: bytes, AnswerBytes: bytes, Streams: saturationStreams,
	}
}

func paced(connections, bytes int) Case {
	return Case{
		Name: fmt.Sprintf("%d/s, %s, %s", pacedPerS, comparison.Plural(connections, "connection"), size(bytes)),
		Load: Paced, Connections: connections, RequestBytes: bytes, AnswerBytes: bytes, RatePerS: pacedPerS,
	}
}

// answering is a case with answers of another size.
func answering(c Case, bytes int) Case {
	c.Name += " for " + size(bytes)
	c.AnswerBytes = bytes
	return c
}

func size(bytes int) string {
	if bytes >= 1<<10 {
		return fmt.Sprintf("%d KiB", bytes>>10)
	}
	return fmt.Sprintf("%d B", bytes)
}
