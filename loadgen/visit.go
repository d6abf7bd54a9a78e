package loadgen

import (
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	bankv1 "breakbank/proto/bank/v1"
)

// visit is one journey under way, and the buffers it uses. A worker has one and
// fills it anew for each journey, so that the generator, which shares its
// processors with the bank, makes little garbage.
type visit struct {
	seq        int
	arrival    *Arrival
	customer   *Customer
	key        string
	intended   time.Time
	deadline   time.Time
	write      bool
	provenance Provenance
	record     Record

	authorise   bankv1.AuthoriseRequest
	authorised  bankv1.AuthoriseResponse
	receive     bankv1.ReceiveInRequest
	received    bankv1.ReceiveResponse
	trailer     metadata.MD
	callOptions []grpc.CallOption
	reply       []byte
}

func newVisit() *visit {
	v := &visit{}
	v.callOptions = []grpc.CallOption{grpc.Trailer(&v.trailer)}
	return v
}

// Names of the route provenance in gRPC trailers and HTTP headers.
const (
	routeName    = "bb-route"
	routeAgeName = "bb-route-age-ms"
	attemptsName = "bb-attempts"
)

// parseProvenance reads what an edge reports. What is absent or makes no sense
// counts for nothing.
func parseProvenance(route, ageMs, attempts string) Provenance {
	var p Provenance
	// The constants spare every record a string of its own.
	switch route {
	case "live":
		p.Route = "live"
	case "stale":
		p.Route = "stale"
	case "snapshot":
		p.Route = "snapshot"
	case "seed":
		p.Route = "seed"
	case "fallback":
		p.Route = "fallback"
	}
	if n, err := strconv.ParseInt(ageMs, 10, 64); err == nil && n > 0 {
		p.RouteAgeMs = n
	}
	if n, err := strconv.Atoi(attempts); err == nil && n > 0 {
		p.Attempts = n
	}
	return p
}
