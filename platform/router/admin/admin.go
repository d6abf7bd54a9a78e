// Package admin is what a router tells about itself over HTTP: a page for
// people, its state as JSON, metrics for Prometheus, health and readiness for
// orchestrators, and profiles. Everything is read only. It knows no secrets,
// but the table and profiles are nobody else's business: serve it on loopback,
// or on a network that one trusts.
package admin

import (
	"net/http"
	"net/http/pprof"
	"sync/atomic"
	"time"

	"breakbank/platform/router"
)

// Router is what a router must tell of itself. Its methods may be called from
// any goroutine.
type Router interface {
	Status() router.Status
	Metrics() router.Metrics
	Ready() <-chan struct{}
}

// Facts are about the process rather than about what it does; they do not
// change.
type Facts struct {
	Build      string // version of the program
	PID        int
	Node, Zone string
	Listen     string // where requests come in
	Config     string // the router's configuration as YAML
	StartedAt  time.Time
}

// Admin serves everything there is to say about one router.
type Admin struct {
	router   Router
	facts    Facts
	mux      *http.ServeMux
	draining atomic.Bool
}

var _ http.Handler = (*Admin)(nil)

// New returns the handler.
//
//	/              the page
//	/status        the same as JSON
//	/metrics       for Prometheus
//	/healthz       200 while the process lives
//	/readyz        200 while it has a table and is not draining, else 503
//	/debug/pprof/  profiles
func New(r Router, f Facts) *Admin {
	a := &Admin{router: r, facts: f, mux: http.NewServeMux()}
	a.mux.HandleFunc("GET /{$}", a.page)
	a.mux.HandleFunc("GET /status", a.status)
	a.mux.Handle("GET /metrics", metricsHandler(r, f))
	a.mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "ok") })
	a.mux.HandleFunc("GET /readyz", a.readyz)
	a.mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	a.mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	a.mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	a.mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return a
}

// ServeHTTP answers a request.
func (a *Admin) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.mux.ServeHTTP(w, r) }

// Drain makes the router unready from now on, for those who ask.
func (a *Admin) Drain() { a.draining.Store(true) }

// phase is how far the router is: starting, ready or draining.
func (a *Admin) phase() string {
	if a.draining.Load() {
		return "draining"
	}
	select {
	case <-a.router.Ready():
		return "ready"
	default:
		return "starting"
	}
}

func (a *Admin) readyz(w http.ResponseWriter, _ *http.Request) {
	switch phase := a.phase(); phase {
	case "ready":
		answer(w, http.StatusOK, "ok")
	case "starting":
		answer(w, http.StatusServiceUnavailable, "no table yet: "+a.router.Status().Detail)
	default:
		answer(w, http.StatusServiceUnavailable, phase)
	}
}

func answer(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	_, _ = w.Write([]byte(text + "\n")) // who asked may have gone
}
