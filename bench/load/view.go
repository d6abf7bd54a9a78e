package load

import (
	"fmt"
	"html/template"
	"slices"
	"strconv"
	"strings"

	"breakbank/bench/chart"
	"breakbank/loadgen/recording"
)

// pageView is the whole page.
type pageView struct {
	Style       template.CSS
	Title       string
	Lead        template.HTML
	Verdicts    []verdictView
	Facts       []factView
	Reasons     []string
	Percentiles []string
	Clocks      []clockView
	LeftOut     []string
	Notes       []string
	Pictures    []pictureView
	Tables      []tableView
	Made        []factView
	Command     string
}

type (
	verdictView struct{ Class, Text string }
	factView    struct{ Name, Value string }
	clockView   struct {
		Class, Name, About string
		Cells              []string
	}
	tableView struct {
		Name, Note string
		Columns    []string
		Rows       []rowView
	}
	rowView  struct{ Cells []cellView }
	cellView struct{ Class, Text string }
)

func newPage(r *Result) pageView {
	p := pageView{
		Style: template.CSS(chart.Style + style), Title: r.Scenario,
		Lead:        lead(r),
		Verdicts:    verdicts(r),
		Facts:       facts(r),
		Reasons:     slices.Concat(r.InvalidReasons, r.IllustrativeReasons),
		Percentiles: percentileNames[:],
		LeftOut:     r.LeftOut,
		Notes:       r.Notes,
		Made:        made(r),
		Command:     strings.Join(append([]string{"breakbank"}, r.Environment.Flags...), " "),
	}
	for _, c := range recording.Clocks {
		v := clockView{Class: clockClasses[c], Name: strings.ReplaceAll(c.String(), "_", " "), About: clockWords[c]}
		for _, ms := range r.Totals.clock(c).all() {
			v.Cells = append(v.Cells, msCell(ms))
		}
		p.Clocks = append(p.Clocks, v)
	}
	for _, picture := range []func(*Result) (pictureView, bool){latencyPicture, throughputPicture, curvePicture} {
		if v, ok := picture(r); ok {
			p.Pictures = append(p.Pictures, v)
		}
	}
	for _, table := range []func(*Result) tableView{thresholdTable, phaseTable, errorTable, workerTable} {
		if t := table(r); len(t.Rows) > 0 {
			p.Tables = append(p.Tables, t)
		}
	}
	return p
}

// lead is goodput, the first number shown.
func lead(r *Result) template.HTML {
	number, rest, _ := strings.Cut(goodputWords(r), ", ")
	return template.HTML("<b>" + template.HTMLEscapeString(number) + "</b> goodput: " + template.HTMLEscapeString(rest))
}

func verdicts(r *Result) []verdictView {
	all := []verdictView{{"good", "VALID"}}
	if !r.Valid {
		all[0] = verdictView{"bad", "INVALID"}
	}
	if r.Loop == LoopClosed {
		all = append(all, verdictView{"warn", "closed loop"})
	}
	if r.Partial {
		all = append(all, verdictView{"warn", "partial"})
	}
	missed := 0
	for _, t := range r.Thresholds {
		if t.Missed {
			missed++
		}
	}
	if n := len(r.Thresholds); n > 0 && missed == 0 {
		all = append(all, verdictView{"good", fmt.Sprintf("%d of %d thresholds kept", n, n)})
	} else if n > 0 {
		all = append(all, verdictView{"bad", fmt.Sprintf("%d of %d thresholds missed", missed, n)})
	}
	return all
}

func facts(r *Result) []factView {
	pace := factView{"load", r.Pacer}
	if r.Loop == LoopClosed {
		pace.Value = fmt.Sprintf("%d at once", r.ClosedAtOnce)
	}
	all := []factView{
		pace,
		{"for", plain(r.DurationS) + " s"},
		{"scheduled", Grouped(r.Totals.Scheduled)},
		{"sent", fmt.Sprintf("%s, %.1f/s", Grouped(r.Totals.Sent), r.Totals.RatePerS)},
		{"failed", Grouped(r.Totals.Failed)},
	}
	if r.Totals.Unknown > 0 {
		all = append(all, factView{"unknown", Grouped(r.Totals.Unknown)})
	}
	if r.Retries.Offered > 0 {
		all = append(all, factView{"retries, apart", Grouped(r.Retries.Offered)})
	}
	return append(all,
		factView{"connections", strconv.Itoa(r.Connections)},
		factView{"generator", fmt.Sprintf("%.1f µs a request", r.Totals.GeneratorCPUUs)},
		factView{"seed", strconv.FormatUint(r.Seed, 10)})
}

func made(r *Result) []factView {
	e := r.Environment
	return []factView{
		{"targets", strings.Join(r.Targets, ", ")},
		{"transport", r.Transport},
		{"schedule", "sha256 " + r.ScheduleSHA256},
		{"machine", fmt.Sprintf("%s, %d cores, %.0f GiB", e.Machine, e.Cores, e.MemoryGiB)},
		{"system", fmt.Sprintf("%s/%s, kernel %s", e.OS, e.Arch, e.Kernel)},
		{"Go", e.Go},
		{"commit", e.Commit},
		{"started", e.StartedUTC},
	}
}

func msCell(ms *float64) string {
	if ms == nil {
		return "–"
	}
	return Millis(*ms)
}

func thresholdTable(r *Result) tableView {
	t := tableView{Name: "Thresholds", Columns: []string{"fails if", "value", ""}}
	for _, th := range r.Thresholds {
		_, value, _ := strings.Cut(th.String(), ": ")
		mark := cellView{"yes", "kept"}
		if th.Missed {
			mark = cellView{"no", "missed"}
		}
		t.Rows = append(t.Rows, rowView{[]cellView{{"", th.Threshold}, {"", value}, mark}})
	}
	return t
}

// phaseTable is what each journey met in each phase.
func phaseTable(r *Result) tableView {
	t := tableView{
		Name: "By phase and journey", Columns: []string{"", "scheduled", "sent", "ok", "degraded", "declined", "failed", "unknown", "p50 ms", "p99 ms", "p99.9 ms", "max ms"},
		Note: "Outcomes by the phase in which they were decided, the rest by the intended time. A warm-up is in no other figure of this page.",
	}
	for _, phase := range r.Phases {
		for _, name := range sortedKeys(phase.Journeys) {
			j := phase.Journeys[name]
			label := name
			if len(r.Phases) > 1 {
				label = strings.ReplaceAll(phase.Name, "_", " ") + ": " + name
			}
			row := rowView{[]cellView{{"", label}}}
			for _, n := range []int64{j.Scheduled, j.Sent, j.OK, j.Degraded, j.Declined, j.Failed, j.Unknown} {
				row.Cells = append(row.Cells, cellView{"", Grouped(n)})
			}
			for _, ms := range []*float64{j.LatencyMs.P50, j.LatencyMs.P99, j.LatencyMs.P999, j.LatencyMs.Max} {
				row.Cells = append(row.Cells, cellView{"", msCell(ms)})
			}
			t.Rows = append(t.Rows, row)
		}
	}
	return t
}

func errorTable(r *Result) tableView {
	t := tableView{Name: "Failures", Columns: []string{"code and cause", "count"}}
	for _, e := range r.Errors {
		t.Rows = append(t.Rows, rowView{[]cellView{{"", strings.TrimSuffix(e.Code+": "+e.Cause, ": ")}, {"", Grouped(e.Count)}}})
	}
	return t
}

func workerTable(r *Result) tableView {
	t := tableView{Name: "Workers", Columns: []string{"", "sent", "processor s", ""}}
	for _, w := range r.Workers {
		state := cellView{"yes", "finished"}
		if w.Lost != "" {
			state = cellView{"no", w.Lost}
		}
		t.Rows = append(t.Rows, rowView{[]cellView{{"", w.Name}, {"", Grouped(w.Sent)}, {"", fmt.Sprintf("%.2f", w.GeneratorCPUS)}, state}})
	}
	return t
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
