package telemetry

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
)

// guard stands before everything that an admin listener serves.
type guard struct {
	config   Config
	pages    http.Handler
	token    tokenCheck
	foreign  *http.CrossOriginProtection
	refusals *refusals
}

func newGuard(c Config, refusals *refusals) *guard {
	return &guard{
		config: c, pages: newPages(c, refusals), token: newTokenCheck(c.Token),
		foreign: http.NewCrossOriginProtection(), refusals: refusals,
	}
}

// open are the paths that need no token.
func open(r *http.Request) bool { return r.URL.Path == healthPath || r.URL.Path == readyPath }

func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer g.recovered(w, r)
	switch {
	case g.config.Token == "" && !isLocalAuthority(r.Host):
		g.refuse(w, r, refusal{why: "host", status: http.StatusForbidden, code: codes.PermissionDenied, says: "without a token only requests to this machine by its loopback address are answered"})
		return
	case g.config.Token == "" && g.foreign.Check(r) != nil:
		g.refuse(w, r, refusal{why: "origin", status: http.StatusForbidden, code: codes.PermissionDenied, says: "another site's page may not ask this"})
		return
	case g.authorised(r):
	case !isGRPC(r) && open(r):
		// newPages says less.
	default:
		why := "token"
		if len(r.Header["Authorization"]) == 0 {
			why = "no_token"
		}
		w.Header().Set("WWW-Authenticate", `Bearer realm="breakbank"`)
		g.refuse(w, r, refusal{why: why, status: http.StatusUnauthorized, code: codes.Unauthenticated, says: "a token is needed"})
		return
	}
	if isGRPC(r) {
		g.serveGRPC(w, r)
		return
	}
	limit := answerLimit + profileFor(r)
	control := http.NewResponseController(w)
	deadline := time.Now().Add(limit)
	if err := errors.Join(control.SetReadDeadline(deadline), control.SetWriteDeadline(deadline)); err != nil {
		g.config.Log.Debug("no deadline for an admin request", "error", err)
	}
	if refused, is := takeBody(w, r); is {
		g.refuse(w, r, refused)
		return
	}
	g.pages.ServeHTTP(w, r)
}

// authorised says whether a request may have everything.
func (g *guard) authorised(r *http.Request) bool {
	return g.config.Token == "" || g.token.admits(r.Header["Authorization"])
}

func (g *guard) serveGRPC(w http.ResponseWriter, r *http.Request) {
	if g.config.GRPC == nil {
		g.refuse(w, r, refusal{why: "no_grpc", status: http.StatusUnsupportedMediaType, code: codes.Unimplemented, says: "this process serves no gRPC here"})
		return
	}
	g.config.GRPC.ServeHTTP(w, r)
}

// takeBody reads a body whole, before anything is done about the request.
func takeBody(w http.ResponseWriter, r *http.Request) (refusal, bool) {
	tooLarge := refusal{why: "body", status: http.StatusRequestEntityTooLarge, says: "the body is larger than 64 KiB"}
	switch {
	case r.ContentLength > maxBodyBytes:
		return tooLarge, true
	case r.ContentLength == 0:
		return refusal{}, false
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBodyBytes))
	if over := new(http.MaxBytesError); errors.As(err, &over) {
		return tooLarge, true
	}
	if err != nil {
		return refusal{why: "body", status: http.StatusBadRequest, says: "the body cannot be read"}, true
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return refusal{}, false
}

// recovered answers for a handler that has panicked. What it was handling is
// not logged: it may hold anything.
func (g *guard) recovered(w http.ResponseWriter, r *http.Request) {
	fault := recover()
	if fault == nil {
		return
	}
	if fault == http.ErrAbortHandler { //nolint:errorlint // net/http compares it so too
		panic(fault)
	}
	g.config.Log.Error("an admin handler panicked", "pattern", r.Pattern, "fault", fault)
	g.refuse(w, r, refusal{why: "panic", status: http.StatusInternalServerError, code: codes.Internal, says: "this failed"})
}

// refusal is an answer to a request that is not executed.
type refusal struct {
	why    string // for the log and the metrics
	status int
	code   codes.Code
	says   string
}

// refuse answers, as gRPC if it was asked so.
func (g *guard) refuse(w http.ResponseWriter, r *http.Request, why refusal) {
	g.refusals.add(why.why, r.RemoteAddr)
	if isGRPC(r) {
		// A response of trailers alone, as gRPC over HTTP/2 has it.
		h := w.Header()
		h.Set("Content-Type", "application/grpc")
		h.Set("Grpc-Status", strconv.Itoa(int(why.code)))
		h.Set("Grpc-Message", why.says)
		w.WriteHeader(http.StatusOK)
		return
	}
	say(w, why.status, why.says)
}

func isGRPC(r *http.Request) bool {
	return r.ProtoMajor == 2 && strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc")
}

func say(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n") // who asked may have gone
}
