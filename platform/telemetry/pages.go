package telemetry

import (
	"fmt"
	"net/http"
	"net/http/pprof"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const (
	healthPath   = "/healthz"
	readyPath    = "/readyz"
	profilesPath = "/debug/pprof/"

	// maxProfile is the longest profile that may be asked for; defaultProfile is
	// pprof's own when none is asked for.
	maxProfile     = 5 * time.Minute
	defaultProfile = 30 * time.Second
	// maxScrapes is how many may be under way at once.
	maxScrapes = 4
)

// newPages is what is served besides gRPC.
func newPages(c Config, refusals *refusals) http.Handler {
	mux := http.NewServeMux()
	check := tokenless(c)
	mux.HandleFunc("GET "+healthPath, func(w http.ResponseWriter, r *http.Request) { health(w, c.Live, "not alive", check(r)) })
	mux.HandleFunc("GET "+readyPath, func(w http.ResponseWriter, r *http.Request) { health(w, c.Ready, "not ready", check(r)) })
	mux.Handle("GET /metrics", metrics(c, refusals))
	mux.HandleFunc("GET "+profilesPath, profile(pprof.Index))
	mux.HandleFunc("GET /debug/pprof/profile", profile(pprof.Profile))
	mux.HandleFunc("GET /debug/pprof/trace", profile(pprof.Trace))
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("POST /debug/pprof/symbol", pprof.Symbol)
	// The command line is nobody's business.
	mux.Handle("GET /debug/pprof/cmdline", http.NotFoundHandler())
	for pattern, h := range c.Handlers {
		mux.Handle(pattern, h)
	}
	return mux
}

// tokenless returns what says whether a caller may be told no more than that
// something is wrong.
func tokenless(c Config) func(*http.Request) bool {
	token := newTokenCheck(c.Token)
	return func(r *http.Request) bool { return c.Token != "" && !token.admits(r.Header["Authorization"]) }
}

func health(w http.ResponseWriter, check func() error, otherwise string, stranger bool) {
	var err error
	if check != nil {
		err = check()
	}
	switch {
	case err == nil:
		say(w, http.StatusOK, "ok")
	case stranger:
		say(w, http.StatusServiceUnavailable, otherwise)
	default:
		say(w, http.StatusServiceUnavailable, otherwise+": "+err.Error())
	}
}

// metrics offers the process's and the listener's own.
func metrics(c Config, refusals *refusals) http.Handler {
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "bb_build_info", Help: "1, with what the process is and the version of the program.",
		ConstLabels: prometheus.Labels{"name": c.Name, "role": c.Role, "version": c.Build},
	})
	build.Set(1)
	own := prometheus.NewRegistry()
	own.MustRegister(build, refusals.total)
	all := prometheus.Gatherers{own}
	if c.Gatherer != nil {
		all = append(all, c.Gatherer)
	}
	return promhttp.HandlerFor(all, promhttp.HandlerOpts{
		// What one collector cannot say must not hide what the others can.
		ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: maxScrapes,
	})
}

// profile bounds how long a profile may take.
func profile(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if asked, err := strconv.ParseFloat(r.FormValue("seconds"), 64); err == nil && asked > maxProfile.Seconds() {
			say(w, http.StatusBadRequest, fmt.Sprintf("a profile may take %d s at most", int(maxProfile.Seconds())))
			return
		}
		h(w, r)
	}
}

// profileFor is how long a request may take for the sake of its profile.
func profileFor(r *http.Request) time.Duration {
	if !strings.HasPrefix(r.URL.Path, profilesPath) {
		return 0
	}
	asked, err := strconv.ParseFloat(r.URL.Query().Get("seconds"), 64)
	if err != nil || !(asked > 0) {
		return defaultProfile
	}
	return time.Duration(min(asked, maxProfile.Seconds()) * float64(time.Second))
}
