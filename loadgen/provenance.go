package loadgen

import (
	"strconv"

	"breakbank/loadgen/transport"
)

// Names of the route provenance in gRPC trailers and HTTP headers.
const (
	routeName    = "bb-route"
	routeAgeName = "bb-route-age-ms"
	attemptsName = "bb-attempts"
)

// routes are the routes that can be reported, the best first. Those of the
// table spare every record a string of its own.
var routes = [...]string{"live", "stale", "snapshot", "seed", "fallback"}

func rank(route string) int {
	for i, r := range routes {
		if r == route {
			return i
		}
	}
	return -1
}

// add takes in what one call's answer reports: the worst route of the visit,
// the oldest age, the sum of attempts. What is absent or makes no sense counts
// for nothing.
func (p *Provenance) add(c *transport.Call) {
	for i := range c.Fields {
		switch f := &c.Fields[i]; f.Name {
		case routeName:
			if r := rank(f.Value); r > rank(p.Route) {
				p.Route = routes[r]
			}
		case routeAgeName:
			if n, err := strconv.ParseInt(f.Value, 10, 64); err == nil && n > 0 {
				p.RouteAgeMs = max(p.RouteAgeMs, n)
			}
		case attemptsName:
			if n, err := strconv.Atoi(f.Value); err == nil && n > 0 {
				p.Attempts += n
			}
		}
	}
}
