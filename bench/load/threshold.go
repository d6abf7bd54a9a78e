package load

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"breakbank/loadgen/recording"
)

// Threshold is a condition under which a load has failed, such as p99>50ms:
//
//	METRIC OP VALUE      OP is >, >=, < or <=
//
//	[response.|service.|send_delay.]p50|p90|p99|p99.9|max|mean   50ms
//	ok|degraded|declined|failed|unknown|dropped                  12, or 0.1% of the schedule
//	error_rate|offered                                           0.1% of the schedule
//	rate|goodput                                                 9990, per second
//
// ok counts rightly declined as well; error_rate is all that was not answered
// well: failed, unknown, and never sent.
type Threshold struct {
	// Text is the condition as it was written.
	Text string

	figure figure
	op     string
	// bound is in unit.
	bound float64
	unit  unit
}

// unit is what a figure is counted in.
type unit uint8

const (
	milliseconds unit = iota
	share
	count
	perSecond
)

// figure is a figure that a threshold can be set on.
type figure struct {
	name  string
	units []unit
	// of is the figure, or why it cannot be told.
	of func(r *Result, u unit) (value float64, why string)
}

// operators, the longer ones first.
var operators = []struct {
	text  string
	holds func(a, b float64) bool
}{
	{">=", func(a, b float64) bool { return a >= b }},
	{"<=", func(a, b float64) bool { return a <= b }},
	{">", func(a, b float64) bool { return a > b }},
	{"<", func(a, b float64) bool { return a < b }},
}

// figures is the table of those that are no latency.
var figures = []figure{
	{"ok", []unit{share, count}, counted(func(t *Totals) int64 { return t.OK + t.Declined })},
	{"degraded", []unit{share, count}, counted(func(t *Totals) int64 { return t.Degraded })},
	{"declined", []unit{share, count}, counted(func(t *Totals) int64 { return t.Declined })},
	{"failed", []unit{share, count}, counted(func(t *Totals) int64 { return t.Failed })},
	{"unknown", []unit{share, count}, counted(func(t *Totals) int64 { return t.Unknown })},
	{"dropped", []unit{share, count}, counted(func(t *Totals) int64 { return t.Scheduled - t.Sent })},
	{"error_rate", []unit{share}, counted(func(t *Totals) int64 { return t.Scheduled - t.OK - t.Declined - t.Degraded })},
	{"offered", []unit{share}, counted(func(t *Totals) int64 { return t.Sent })},
	{"rate", []unit{perSecond}, func(r *Result, _ unit) (float64, string) { return r.Totals.RatePerS, "" }},
	{"goodput", []unit{perSecond}, func(r *Result, _ unit) (float64, string) { return r.Goodput.PerS, "" }},
}

// counted is a figure that is a count, or its share of the schedule.
func counted(of func(*Totals) int64) func(*Result, unit) (float64, string) {
	return func(r *Result, u unit) (float64, string) {
		n := float64(of(&r.Totals))
		if u == count {
			return n, ""
		}
		if r.Totals.Scheduled == 0 {
			return 0, "nothing was scheduled"
		}
		return n / float64(r.Totals.Scheduled), ""
	}
}

// grammar is said to whoever wrote a threshold that is none.
const grammar = "say for example p99>50ms, service.p99.9>80ms, ok<99.9%, error_rate>0.1%, failed>0, rate<9990"

// ParseThreshold reads a condition.
func ParseThreshold(text string) (Threshold, error) {
	t := Threshold{Text: strings.ReplaceAll(text, " ", "")}
	wrong := func(format string, args ...any) (Threshold, error) {
		return t, fmt.Errorf("threshold %q: %s; %s", text, fmt.Sprintf(format, args...), grammar)
	}
	at := strings.IndexAny(t.Text, "<>")
	if at < 0 {
		return wrong("it compares nothing")
	}
	name, rest := t.Text[:at], t.Text[at:]
	for _, o := range operators {
		if bound, ok := strings.CutPrefix(rest, o.text); ok {
			t.op, rest = o.text, bound
			break
		}
	}
	var err error
	if t.figure, err = figureNamed(name); err != nil {
		return wrong("%v", err)
	}
	if t.bound, t.unit, err = parseBound(rest, t.figure); err != nil {
		return wrong("%v", err)
	}
	return t, nil
}

// figureNamed finds a figure; latencies are not in the table, since there is one
// for every clock and percentile.
func figureNamed(name string) (figure, error) {
	if i := slices.IndexFunc(figures, func(f figure) bool { return f.name == name }); i >= 0 {
		return figures[i], nil
	}
	clock, which := recording.Response, name
	for _, c := range recording.Clocks {
		if rest, ok := strings.CutPrefix(name, c.String()+"."); ok {
			clock, which = c, rest
		}
	}
	switch which {
	case "max":
		return figure{name, []unit{milliseconds}, func(r *Result, _ unit) (float64, string) {
			return r.latency(clock, func(h *hdrhistogram.Histogram) float64 { return float64(h.Max()) })
		}}, nil
	case "mean":
		return figure{name, []unit{milliseconds}, func(r *Result, _ unit) (float64, string) {
			return r.latency(clock, (*hdrhistogram.Histogram).Mean)
		}}, nil
	}
	percent, err := strconv.ParseFloat(strings.TrimPrefix(which, "p"), 64)
	if !strings.HasPrefix(which, "p") || err != nil {
		names := []string{"p50, p90, p99, p99.9, max and mean of response, service and send_delay"}
		for _, f := range figures {
			names = append(names, f.name)
		}
		return figure{}, fmt.Errorf("there is no %q; there are %s", name, strings.Join(names, ", "))
	}
	if !(percent > 0 && percent < 100) {
		return figure{}, fmt.Errorf("%q is no percentile between 0 and 100", which)
	}
	return figure{name, []unit{milliseconds}, func(r *Result, _ unit) (float64, string) {
		return r.percentile(clock, percent)
	}}, nil
}

// parseBound reads what a figure is held against.
func parseBound(text string, f figure) (bound float64, u unit, err error) {
	switch {
	case slices.Contains(f.units, milliseconds):
		d, err := time.ParseDuration(text)
		if err != nil || d < 0 {
			return 0, 0, fmt.Errorf("%q is no time; %s is held against one, such as 50ms", text, f.name)
		}
		return float64(d) / float64(time.Millisecond), milliseconds, nil
	case strings.HasSuffix(text, "%"):
		v, err := strconv.ParseFloat(strings.TrimSuffix(text, "%"), 64)
		if err != nil || !(v >= 0 && v <= 100) {
			return 0, 0, fmt.Errorf("%q is no share from 0%% to 100%%", text)
		}
		if !slices.Contains(f.units, share) {
			return 0, 0, fmt.Errorf("%s is per second, not a share", f.name)
		}
		return v / 100, share, nil
	}
	u = f.units[len(f.units)-1]
	if u == share {
		return 0, 0, fmt.Errorf("%s is a share, such as 0.1%%", f.name)
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || !(v >= 0) || math.IsInf(v, 0) {
		return 0, 0, fmt.Errorf("%q is no number from 0 on", text)
	}
	return v, u, nil
}

// ThresholdResult is a threshold and what it was held against.
type ThresholdResult struct {
	Threshold string `json:"threshold"`
	// Value is in Unit: ms, share, count or per_s; nil where it cannot be told,
	// which counts as missed.
	Value  *float64 `json:"value"`
	Unit   string   `json:"unit"`
	Missed bool     `json:"missed"`
	// Why says why there is no value.
	Why string `json:"why,omitempty"`
}

var unitNames = [...]string{milliseconds: "ms", share: "share", count: "count", perSecond: "per_s"}

// Judge holds a threshold against a result. One that cannot be judged is
// missed: who sets a bound wants to know that it was kept.
func (t Threshold) Judge(r *Result) ThresholdResult {
	out := ThresholdResult{Threshold: t.Text, Unit: unitNames[t.unit]}
	value, why := t.figure.of(r, t.unit)
	if why != "" {
		out.Why, out.Missed = why, true
		return out
	}
	out.Value = &value
	for _, o := range operators {
		if o.text == t.op {
			out.Missed = o.holds(value, t.bound)
		}
	}
	return out
}

// String says a threshold with its value.
func (t ThresholdResult) String() string {
	if t.Value == nil {
		return t.Threshold + ": " + t.Why
	}
	v := *t.Value
	switch t.Unit {
	case unitNames[milliseconds]:
		return fmt.Sprintf("%s: %s ms", t.Threshold, Millis(v))
	case unitNames[share]:
		return fmt.Sprintf("%s: %s %%", t.Threshold, strconv.FormatFloat(100*v, 'g', 6, 64))
	case unitNames[perSecond]:
		return fmt.Sprintf("%s: %.1f/s", t.Threshold, v)
	}
	return fmt.Sprintf("%s: %s", t.Threshold, strconv.FormatFloat(v, 'f', -1, 64))
}
