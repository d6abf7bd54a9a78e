package gateway

import (
	"net/http"
	"slices"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"google.golang.org/grpc/codes"

	"breakbank/platform/rpc"
)

const (
	serviceName = "gateway"
	// graphQLMethod is what the one thing that the gateway does is called where
	// the methods of services are counted and logged.
	graphQLMethod = "graphql"
)

// ServeHTTP serves a request under its id, the caller's or a new one, which the
// answer carries, and counts and logs it as the other services do theirs.
func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	id := rpc.RequestIDFor(r.Header.Get(rpc.OutsideRequestID))
	w.Header().Set(rpc.OutsideRequestID, id)
	e.meter.Began()
	code := e.serve(w, r.WithContext(rpc.WithRequestID(r.Context(), id)))
	took := time.Since(began)
	e.meter.Ended(graphQLMethod, code, took)
	if e.accessLog {
		rpc.LogCall(r.Context(), e.log, rpc.Call{
			Service: serviceName, Instance: e.name, Method: graphQLMethod, Code: code, Took: took, RequestID: id,
		})
	}
}

// codeOf is that of the first error in a response.
func codeOf(response *graphql.Response) codes.Code {
	if len(response.Errors) == 0 {
		return codes.OK
	}
	name, _ := response.Errors[0].Extensions["code"].(string)
	if i := slices.Index(codeNames[:], name); i >= 0 {
		return codes.Code(i)
	}
	return codes.Unknown
}
