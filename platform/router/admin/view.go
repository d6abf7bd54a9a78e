package admin

import (
	"encoding/json"
	"net/http"
	"time"

	"breakbank/platform/router"
)

// view is what the page and /status show: a router at one moment.
type view struct {
	Phase     string  `json:"phase"` // starting, ready or draining
	Build     string  `json:"build"`
	PID       int     `json:"pid"`
	Node      string  `json:"node,omitempty"`
	Zone      string  `json:"zone,omitempty"`
	Listen    string  `json:"listen"`
	UptimeS   float64 `json:"uptime_s"`
	Discovery struct {
		Source   string `json:"source"`
		Synced   bool   `json:"synced"`
		Poisoned bool   `json:"poisoned"`
		Revision int64  `json:"revision"`
		// AgeS is since the source was last heard; null: never.
		AgeS      *float64 `json:"age_s"`
		Detail    string   `json:"detail"`
		EtcdReads int64    `json:"etcd_reads"`
		Names     int      `json:"names"`
	} `json:"discovery"`
	Requests    int64            `json:"requests"`
	Attempts    int64            `json:"attempts"`
	Streams     int64            `json:"streams"`
	Waiting     int64            `json:"waiting"`
	Connections int64            `json:"connections"`
	Unrouted    int64            `json:"unrouted"`
	Routes      map[string]int64 `json:"routes"`
	Services    []serviceView    `json:"services"`
	Config      string           `json:"config"`

	// TakenAt is when this was so.
	TakenAt time.Time `json:"taken_at"`
}

type serviceView struct {
	Name      string           `json:"name"`
	Requests  int64            `json:"requests"`
	Active    int64            `json:"active"`
	Attempts  int64            `json:"attempts"`
	Retries   int64            `json:"retries"`
	Refused   int64            `json:"refused"`
	Ejections int64            `json:"ejections"`
	Codes     map[string]int64 `json:"codes"`
	// Half and nearly all of the answers came within this; 0: there are none.
	P50Ms     float64        `json:"p50_at_most_ms"`
	P99Ms     float64        `json:"p99_at_most_ms"`
	Endpoints []endpointView `json:"endpoints"`
}

type endpointView struct {
	Addr     string `json:"addr"`
	Instance string `json:"instance,omitempty"`
	State    string `json:"state"`
	Active   int    `json:"active"`
}

func (a *Admin) look(now time.Time) view {
	s, m := a.router.Status(), a.router.Metrics()
	v := view{
		Phase: a.phase(), Build: a.facts.Build, PID: a.facts.PID, Node: a.facts.Node, Zone: a.facts.Zone,
		Listen: a.facts.Listen, UptimeS: now.Sub(a.facts.StartedAt).Seconds(), Config: a.facts.Config,
		Requests: s.Requests, Attempts: s.Attempts, Waiting: m.Waiting, Connections: m.Connections,
		Unrouted: m.Unrouted.Requests, Routes: map[string]int64{}, Services: []serviceView{},
		Streams: m.Unrouted.Active, TakenAt: now.UTC(),
	}
	d := &v.Discovery
	d.Source, d.Synced, d.Poisoned, d.Revision = s.Source, s.Synced, s.Poisoned, s.Revision
	d.Detail, d.EtcdReads, d.Names = s.Detail, s.EtcdReads, s.Names
	if !s.LastHeardAt.IsZero() {
		age := now.Sub(s.LastHeardAt).Seconds()
		d.AgeS = &age
	}
	for route, n := range m.Routes {
		v.Routes[string(route)] = n
	}
	for _, service := range m.Services {
		v.Streams += service.Active
		v.Services = append(v.Services, viewOf(service))
	}
	return v
}

func viewOf(m router.ServiceMetrics) serviceView {
	v := serviceView{
		Name: m.Name, Requests: m.Requests, Active: m.Active, Attempts: m.Attempts, Retries: m.Retries,
		Refused: m.Refused, Ejections: m.Ejections, Codes: map[string]int64{}, Endpoints: []endpointView{},
		P50Ms: atMostMs(m.Latency, 0.5), P99Ms: atMostMs(m.Latency, 0.99),
	}
	for code, n := range m.Codes {
		v.Codes[code.String()] = n
	}
	for _, e := range m.Endpoints {
		v.Endpoints = append(v.Endpoints, endpointView{e.Addr, e.Instance, string(e.State), e.Active})
	}
	return v
}

// atMostMs is the bound that so large a share of the answers was within, in
// milliseconds; 0 without answers. What is beyond the last bound counts as
// twice that.
func atMostMs(l router.Latency, share float64) float64 {
	if l.Count == 0 || len(l.Buckets) == 0 {
		return 0
	}
	for _, b := range l.Buckets {
		if float64(b.Count) >= share*float64(l.Count) {
			return b.AtMost.Seconds() * 1000
		}
	}
	return 2 * l.Buckets[len(l.Buckets)-1].AtMost.Seconds() * 1000
}

func (a *Admin) status(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	_ = encoder.Encode(a.look(time.Now())) // who asked may have gone
}
