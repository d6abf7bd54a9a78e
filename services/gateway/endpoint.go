package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math"
	"mime"
	"net/http"
	"strconv"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/99designs/gqlgen/graphql/handler/lru"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"google.golang.org/grpc/codes"

	"breakbank/platform/rpc"
	"breakbank/services/bank"
	"breakbank/services/gateway/graph"
)

const (
	// timeoutHeader carries how long the phone will still wait, in ms.
	timeoutHeader = "bb-timeout-ms"
	// maxTimeout bounds every request, whatever the phone says: a second less
	// than its patience of 10 s (incident.md), so that an answer still arrives.
	maxTimeout = 9 * time.Second

	// maxBody is far above the app's longest query with its variables.
	maxBody = 64 << 10
	// maxInFlight is what a zone's share of 1,000 requests/s comes to when each
	// takes its full 9 s, and as much again. The next one is told so at once.
	maxInFlight = 6_000
	// maxCachedQueries bounds the parsed queries kept. The app and the staff
	// tool have a handful; a stranger's evict one another.
	maxCachedQueries = 256
	// maxQueryTokens bounds what the parser will read of a query.
	maxQueryTokens = 2_000
)

// endpoint is POST /graphql: one operation in, one answer out.
type endpoint struct {
	exec  *executor.Executor
	slots chan struct{} // One is held by each request in flight.
	name  string        // The instance's, for the answers.
	log   *slog.Logger

	meter     *rpc.Meter
	accessLog bool
}

func newEndpoint(b backends, instance string, log *slog.Logger) *endpoint {
	exec := executor.New(graph.NewExecutableSchema(graph.Config{Resolvers: root{b}}))
	exec.SetQueryCache(lru.New[*ast.QueryDocument](maxCachedQueries))
	exec.SetParserTokenLimit(maxQueryTokens)
	exec.SetDisableSuggestion(true)
	exec.Use(limits{})
	exec.SetErrorPresenter(present)
	exec.SetRecoverFunc(func(ctx context.Context, fault any) error {
		log.ErrorContext(ctx, "a resolver panicked", "fault", fault)
		return bank.Errorf(bank.Internal, "the gateway failed")
	})
	return &endpoint{exec: exec, slots: make(chan struct{}, maxInFlight), name: instance, log: log, meter: rpc.MeterOf(serviceName)}
}

// serve answers one operation and says how that went: with the code of the
// first error, if there is one.
func (e *endpoint) serve(w http.ResponseWriter, r *http.Request) codes.Code {
	select {
	case e.slots <- struct{}{}:
		defer func() { <-e.slots }()
	default:
		return e.refuse(w, http.StatusServiceUnavailable, codes.ResourceExhausted, "too many requests in flight; try again")
	}
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return e.refuse(w, http.StatusUnsupportedMediaType, codes.InvalidArgument, "send a JSON body as application/json")
	}
	timeout, ok := timeoutOf(r.Header.Get(timeoutHeader))
	if !ok {
		return e.refuse(w, http.StatusBadRequest, codes.InvalidArgument, timeoutHeader+" must be a whole number of milliseconds above 0")
	}
	params, err := decode(http.MaxBytesReader(w, r.Body, maxBody))
	if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
		return e.refuse(w, http.StatusRequestEntityTooLarge, codes.InvalidArgument, "the body is larger than 64 KiB")
	}
	if err != nil {
		return e.refuse(w, http.StatusBadRequest, codes.InvalidArgument, "the body is not a GraphQL request in JSON: "+err.Error())
	}

	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	ctx, route := rpc.WithProvenance(graphql.StartOperationTrace(ctx))
	op, refused := e.exec.CreateOperationContext(ctx, params)
	if refused != nil {
		ctx = graphql.WithOperationContext(ctx, op)
		return e.answer(w, http.StatusBadRequest, e.exec.DispatchError(ctx, refused))
	}
	next, ctx := e.exec.DispatchOperation(ctx, op)
	response := next(ctx)
	// The calls behind the fields are over: now their routes are known.
	for name, values := range route.Provenance().Metadata() {
		w.Header()[http.CanonicalHeaderKey(name)] = values
	}
	w.Header().Set(rpc.InstanceTrailer, e.name)
	return e.answer(w, http.StatusOK, response)
}

// refuse answers a request that is not executed.
func (e *endpoint) refuse(w http.ResponseWriter, httpStatus int, code codes.Code, message string) codes.Code {
	return e.answer(w, httpStatus, &graphql.Response{Errors: gqlerror.List{{
		Message:    message,
		Extensions: map[string]any{"code": codeName(code)},
	}}})
}

func (e *endpoint) answer(w http.ResponseWriter, httpStatus int, response *graphql.Response) codes.Code {
	body, err := json.Marshal(response)
	if err != nil {
		e.log.Error("encode a GraphQL response", "err", err)
		http.Error(w, "the gateway failed", http.StatusInternalServerError)
		return codes.Internal
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(httpStatus)
	if _, err := w.Write(body); err != nil {
		e.log.Debug("the client left before its answer", "err", err)
	}
	return codeOf(response)
}

// decode reads one GraphQL request. Numbers stay as written: minor units do
// not survive a float64.
func decode(body io.Reader) (*graphql.RawParams, error) {
	params := new(graphql.RawParams)
	decoder := json.NewDecoder(body)
	decoder.UseNumber()
	if err := decoder.Decode(params); err != nil {
		return nil, err
	}
	return params, nil
}

// timeoutOf reads the phone's remaining patience; none stated is the maximum.
func timeoutOf(header string) (time.Duration, bool) {
	if header == "" {
		return maxTimeout, true
	}
	ms, err := strconv.ParseUint(header, 10, 63)
	if err != nil && !errors.Is(err, strconv.ErrRange) || ms == 0 {
		return 0, false
	}
	if ms > uint64(math.MaxInt64/time.Millisecond) {
		return maxTimeout, true
	}
	return min(time.Duration(ms)*time.Millisecond, maxTimeout), true
}
