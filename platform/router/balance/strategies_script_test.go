package balance

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
)

// The scripts in testdata/strategies each explain one strategy. Their prose is
// its documentation; what stands under ---- is what the strategy did.
// Regenerate with -rewrite and read the diff.
func TestStrategyScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/strategies", func(t *testing.T, path string) {
		s := &strategyScript{}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			run, ok := strategyCommands[d.Cmd]
			if !ok {
				t.Fatalf("%s: unknown command %q", d.Pos, d.Cmd)
			}
			if out := run(s, t, d); out != "" {
				return out + "\n"
			}
			return "ok\n"
		})
	})
}

// strategyScript is one caller of one service.
type strategyScript struct {
	strategy  Strategy
	rng       *rand.Rand
	now       time.Time
	endpoints []Endpoint
}

var strategyCommands = map[string]func(*strategyScript, *testing.T, *datadriven.TestData) string{
	"caller": (*strategyScript).caller,
	"join":   (*strategyScript).join,
	"leave":  (*strategyScript).leave,
	"ill":    (*strategyScript).health,
	"well":   (*strategyScript).health,
	"weight": (*strategyScript).weight,
	"wait":   (*strategyScript).wait,
	"pick":   (*strategyScript).pick,
	"sent":   (*strategyScript).sent,
	"done":   (*strategyScript).done,
	"probes": (*strategyScript).probes,
	"probed": (*strategyScript).probed,
	"load":   (*strategyScript).load,
	"pool":   (*strategyScript).pool,
	"own":    (*strategyScript).own,
}

// caller strategy=NAME endpoints=abc [zones=xyz] [seed=N]: a fresh one. An
// endpoint is a letter, and so is its zone.
func (s *strategyScript) caller(t *testing.T, d *datadriven.TestData) string {
	var name, ids, zones string
	var seed uint64 = 1
	d.ScanArgs(t, "strategy", &name)
	d.ScanArgs(t, "endpoints", &ids)
	d.MaybeScanArgs(t, "zones", &zones)
	d.MaybeScanArgs(t, "seed", &seed)
	strategy, err := New(name)
	if err != nil {
		t.Fatal(err)
	}
	*s = strategyScript{strategy: strategy, now: epoch, rng: rand.New(rand.NewPCG(seed, 1))}
	for i, id := range ids {
		e := Endpoint{ID: string(id), Healthy: true}
		if zones != "" {
			e.Zone = zones[i : i+1]
		}
		s.endpoints = append(s.endpoints, e)
	}
	return ""
}

// join ID [zone=Z]
func (s *strategyScript) join(t *testing.T, d *datadriven.TestData) string {
	e := Endpoint{ID: d.CmdArgs[0].Key, Healthy: true}
	d.MaybeScanArgs(t, "zone", &e.Zone)
	s.endpoints = append(slices.Clone(s.endpoints), e)
	return ""
}

// leave ID
func (s *strategyScript) leave(_ *testing.T, d *datadriven.TestData) string {
	id := d.CmdArgs[0].Key
	s.endpoints = slices.DeleteFunc(slices.Clone(s.endpoints), func(e Endpoint) bool { return e.ID == id })
	s.strategy.Observe(Event{Kind: Gone, ID: id, At: s.now})
	return ""
}

// ill ID…, well ID…: whether an overlay has taken it out of rotation.
func (s *strategyScript) health(_ *testing.T, d *datadriven.TestData) string {
	for _, a := range d.CmdArgs {
		s.endpoints[indexOf(s.endpoints, a.Key)].Healthy = d.Cmd == "well"
	}
	return ""
}

// weight ID=W…
func (s *strategyScript) weight(t *testing.T, d *datadriven.TestData) string {
	for _, a := range d.CmdArgs {
		d.ScanArgs(t, a.Key, &s.endpoints[indexOf(s.endpoints, a.Key)].Weight)
	}
	return ""
}

// wait DURATION
func (s *strategyScript) wait(t *testing.T, d *datadriven.TestData) string {
	s.now = s.now.Add(parseDuration(t, d, d.CmdArgs[0].Key))
	return ""
}

// pick [n=N] [zone=Z] [key=K]: where N requests would go, if none of them was
// sent.
func (s *strategyScript) pick(t *testing.T, d *datadriven.TestData) string {
	n := 1
	var r Request
	d.MaybeScanArgs(t, "n", &n)
	d.MaybeScanArgs(t, "zone", &r.Zone)
	d.MaybeScanArgs(t, "key", &r.Key)
	counts := map[string]int{}
	for range n {
		counts[s.endpoints[s.strategy.Pick(s.now, s.rng, s.endpoints, r)].ID]++
	}
	var out []string
	for _, id := range slices.Sorted(maps.Keys(counts)) {
		if n == 1 {
			return id
		}
		out = append(out, fmt.Sprintf("%s %d", id, counts[id]))
	}
	return strings.Join(out, "  ")
}

// sent ID [n=N]
func (s *strategyScript) sent(t *testing.T, d *datadriven.TestData) string {
	n := 1
	d.MaybeScanArgs(t, "n", &n)
	for range n {
		s.strategy.Observe(Event{Kind: Sent, ID: d.CmdArgs[0].Key, At: s.now})
	}
	return ""
}

// done ID… [took=D] [n=N] [failed] [qps=F eps=F utilization=F]
func (s *strategyScript) done(t *testing.T, d *datadriven.TestData) string {
	n, took, load := 1, "1ms", Load{}
	d.MaybeScanArgs(t, "n", &n)
	d.MaybeScanArgs(t, "took", &took)
	d.MaybeScanArgs(t, "qps", &load.QPS)
	d.MaybeScanArgs(t, "eps", &load.EPS)
	d.MaybeScanArgs(t, "utilization", &load.Utilization)
	e := Event{Kind: Done, At: s.now, Took: parseDuration(t, d, took), Failed: d.HasArg("failed")}
	if load != (Load{}) {
		e.Load = &load
	}
	for _, a := range d.CmdArgs {
		if a.Key == "failed" || len(a.Vals) > 0 {
			continue
		}
		for range n {
			e.ID = a.Key
			s.strategy.Observe(e)
		}
	}
	return ""
}

// probes: whom it asks after a pick.
func (s *strategyScript) probes(*testing.T, *datadriven.TestData) string {
	var out []string
	for _, i := range s.strategy.(Prober).Probes(s.now, s.rng, s.endpoints) {
		out = append(out, s.endpoints[i].ID)
	}
	return strings.Join(out, " ")
}

// probed ID… in-flight=N latency=D
func (s *strategyScript) probed(t *testing.T, d *datadriven.TestData) string {
	var latency string
	var load Load
	d.ScanArgs(t, "in-flight", &load.InFlight)
	d.ScanArgs(t, "latency", &latency)
	for _, a := range d.CmdArgs {
		if len(a.Vals) == 0 {
			s.strategy.Observe(Event{
				Kind: Probed, ID: a.Key, At: s.now, Took: parseDuration(t, d, latency), Load: &load,
			})
		}
	}
	return ""
}

// load: what a p2c would compare.
func (s *strategyScript) load(t *testing.T, _ *datadriven.TestData) string {
	var out []string
	for i := range s.endpoints {
		e := &s.endpoints[i]
		load := s.strategy.(*strategy).metric.Load(s.now, e)
		text := time.Duration(load).Round(10 * time.Microsecond).String()
		if load >= noHistoryPenalty {
			text = "no answer yet"
		}
		out = append(out, e.ID+": "+text)
	}
	return strings.Join(out, "  ")
}

// pool: what prequal knows, the oldest first.
func (s *strategyScript) pool(*testing.T, *datadriven.TestData) string {
	p := s.strategy.(*prequal)
	p.pool.expire(s.now)
	var out []string
	for i := range p.pool.probes {
		q := &p.pool.probes[i]
		out = append(out, fmt.Sprintf("%s: %d in flight, %v, %s",
			q.of.id, q.inFlight, q.latency, [...]string{"cold", "hot", "sick"}[p.rank(s.now, q)]))
	}
	if len(out) == 0 {
		return "empty"
	}
	return strings.Join(out, "\n")
}

// own: who serves this caller, for a subset.
func (s *strategyScript) own(*testing.T, *datadriven.TestData) string {
	var out []string
	for _, i := range s.strategy.(*subset).own(s.endpoints) {
		out = append(out, s.endpoints[i].ID)
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func parseDuration(t *testing.T, d *datadriven.TestData, text string) time.Duration {
	parsed, err := time.ParseDuration(text)
	if err != nil {
		d.Fatalf(t, "%v", err)
	}
	return parsed
}
