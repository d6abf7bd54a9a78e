package benign

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"breakbank/platform/router/discovery"
)

// OperationsMax is what is played in a minute or so.
const OperationsMax = 20_000

// What is played unless asked otherwise.
const (
	DefaultOperations = 1000
	DefaultServices   = 20
	DefaultRatePerS   = 20.0 // requests, of each service
)

// Reference is the arm that all are held against.
const Reference = "keep-last"

// honouredLimit is when a valid removal must have been followed, at p99.
const honouredLimit = time.Second

// Options say what to play.
type Options struct {
	Operations, Services int
	RatePerS             float64
	Seed                 uint64
	// Policies are those to judge, together and each by itself.
	Policies []string
	Parser   string
}

// Result is what each arm made of the same plan, in the envelope of
// result.json.
type Result struct {
	Schema   int    `json:"schema"`
	Kind     string `json:"kind"`     // "peers"
	Scenario string `json:"scenario"` // "discovery-no-harm"
	Seed     uint64 `json:"seed"`
	Valid    bool   `json:"valid"`
	// InvalidReasons are empty: virtual time cannot be starved.
	InvalidReasons []string `json:"invalid_reasons"`

	Operations map[string]int `json:"operations"`
	VirtualS   float64        `json:"virtual_s"`
	Requests   int            `json:"requests"`
	Arms       []Arm          `json:"arms"`
}

// Arm is one set of policies.
type Arm struct {
	Name     string   `json:"name"`
	Policies []string `json:"policies"`
	Failed   int      `json:"failed"`
	// Harmed are requests that failed here and not under the reference; Helped
	// those of which the opposite is true.
	Harmed int `json:"harmed"`
	Helped int `json:"helped"`
	// Refused are tries of addresses at which nobody was.
	Refused int `json:"refused"`
	Probes  int `json:"probes"`
	// Removals is how a valid removal was followed; Large, those that took more
	// than half of a service.
	Removals    Lateness `json:"removals"`
	Large       Lateness `json:"large_removals"`
	NotHonoured int      `json:"not_honoured"`
	// Harmless: nothing was harmed, and removals were followed in time.
	Harmless bool `json:"harmless"`
}

// Lateness is a distribution of times, in ms.
type Lateness struct {
	Count int     `json:"count"`
	P50   float64 `json:"p50_ms"`
	P99   float64 `json:"p99_ms"`
	Max   float64 `json:"max_ms"`
}

// Run plays the plan under the reference, the policies, and each of them.
func Run(o Options) (*Result, error) {
	parser, err := discovery.ParserByName(o.Parser)
	if err != nil {
		return nil, err
	}
	arms := []Arm{{Name: Reference, Policies: []string{Reference}}, {Name: "all of them", Policies: o.Policies}}
	for _, name := range o.Policies {
		arms = append(arms, Arm{Name: name, Policies: []string{name}})
	}
	p := newPlan(o.Services, o.Operations, o.Seed)
	r := &Result{
		Schema: 1, Kind: "peers", Scenario: "discovery-no-harm", Seed: o.Seed, Valid: true, InvalidReasons: []string{},
		Operations: p.operations, VirtualS: p.length.Seconds(),
	}
	var reference figures
	for i, arm := range arms {
		policies, err := discovery.PoliciesByName(arm.Policies)
		if err != nil {
			return nil, err
		}
		f := newRouter(p, policies, parser, o.Seed).play(o.RatePerS)
		if i == 0 {
			reference = f
			r.Requests = len(f.served)
		}
		r.Arms = append(r.Arms, arm.judged(f, reference))
	}
	return r, nil
}

// judged holds figures against the reference's.
func (a Arm) judged(f, reference figures) Arm {
	for i, served := range f.served {
		switch {
		case !served && reference.served[i]:
			a.Harmed++
		case served && !reference.served[i]:
			a.Helped++
		}
		if !served {
			a.Failed++
		}
	}
	a.Refused, a.Probes, a.NotHonoured = f.refused, f.probes, f.notHonoured
	a.Removals, a.Large = latenessOf(f.late), latenessOf(f.lateLarge)
	a.Harmless = a.Harmed == 0 && a.NotHonoured == 0 && a.Removals.P99 <= ms(honouredLimit)
	return a
}

func latenessOf(times []time.Duration) Lateness {
	if len(times) == 0 {
		return Lateness{}
	}
	times = slices.Sorted(slices.Values(times))
	at := func(q float64) float64 { return ms(times[min(len(times)-1, int(q*float64(len(times))))]) }
	return Lateness{Count: len(times), P50: at(0.5), P99: at(0.99), Max: at(1)}
}

func ms(d time.Duration) float64 { return d.Seconds() * 1e3 }

// Text is the result as people read it.
func Text(r *Result) string {
	var text strings.Builder
	total := 0
	for _, n := range r.Operations {
		total += n
	}
	fmt.Fprintf(&text, "%d benign operations in %.0f s of virtual time, %d requests\n", total, r.VirtualS, r.Requests)
	for _, name := range slices.Sorted(maps.Keys(r.Operations)) {
		fmt.Fprintf(&text, "  %4d %s\n", r.Operations[name], name)
	}
	fmt.Fprintln(&text)
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(table, "policies\tfailed\tserved by %s only\tserved here only\ttries refused\tprobes\tremovals p99 ms\tmax\tof more than half: p99 ms\tmax\tnever\t\t\n", Reference)
	for _, a := range r.Arms {
		verdict := "no harm"
		if !a.Harmless {
			verdict = "HARM"
		}
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%d\t%.0f\t%.0f\t%.0f\t%.0f\t%d\t%s\t\n", a.Name, a.Failed, a.Harmed, a.Helped, a.Refused, a.Probes,
			a.Removals.P99, a.Removals.Max, a.Large.P99, a.Large.Max, a.NotHonoured, verdict)
	}
	_ = table.Flush() // a strings.Builder takes everything
	return text.String()
}
