package capacity

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"breakbank/bench/load"
)

// DefaultObjective is what a service of the bank promises.
const DefaultObjective = "p99<100ms,ok>99.9%"

// Objective is what a load must have shown for its rate to be carried: all of
// its conditions, which are written as those of load.Threshold. There they say
// when a load has failed, here when it has not.
type Objective struct {
	Text       string
	conditions []load.Threshold
}

// ParseObjective reads conditions with commas between them.
func ParseObjective(text string) (Objective, error) {
	o := Objective{Text: strings.ReplaceAll(text, " ", "")}
	for part := range strings.SplitSeq(o.Text, ",") {
		if part == "" {
			return o, fmt.Errorf("objective %q: a condition is empty; say for example %s", text, DefaultObjective)
		}
		c, err := load.ParseThreshold(part)
		if err != nil {
			return o, fmt.Errorf("objective: %w", err)
		}
		if err := checkSense(c.Text); err != nil {
			return o, fmt.Errorf("objective: %w", err)
		}
		o.conditions = append(o.conditions, c)
	}
	return o, nil
}

// checkSense refuses what does not come to be missed as the rate rises, as a
// --fail-if turned into an objective does.
func checkSense(condition string) error {
	metric, _, below := cutCondition(condition)
	switch metric {
	case "rate", "goodput":
		return fmt.Errorf("%s: the rate is what is looked for; say what must hold at it, such as %s", condition, DefaultObjective)
	case "ok", "offered":
		if below {
			return fmt.Errorf("%s holds when nothing works; say what must hold, such as ok>99.9%%", condition)
		}
	default:
		if !below {
			return fmt.Errorf("%s holds when nothing works; say what must hold, such as p99<100ms", condition)
		}
	}
	return nil
}

// Condition is one of an objective, and what it was held against.
type Condition struct {
	Condition string `json:"condition"`
	// Value is in Unit: ms, share, count or per_s; nil where it could not be
	// told, and Why says why.
	Value *float64 `json:"value"`
	Unit  string   `json:"unit"`
	Met   bool     `json:"met"`
	Why   string   `json:"why,omitempty"`

	words string
}

// judge holds a load against the objective.
func (o *Objective) judge(r *load.Result) (all []Condition, met bool) {
	met = true
	for _, c := range o.conditions {
		held := c.Judge(r)
		// A threshold that is missed is a condition that holds, unless it could
		// not be told.
		out := Condition{
			Condition: held.Threshold, Value: held.Value, Unit: held.Unit, Why: held.Why,
			Met: held.Missed && held.Value != nil, words: held.String(),
		}
		met = met && out.Met
		all = append(all, out)
	}
	return all, met
}

// bound is the response that the objective allows: of several the longest, as in
// p50<10ms,p99<100ms. Conditions on another clock have none.
func (o *Objective) bound() (longest time.Duration, any bool) {
	for _, c := range o.conditions {
		metric, bound, below := cutCondition(c.Text)
		d, err := time.ParseDuration(bound)
		if err == nil && below && !strings.HasPrefix(metric, "send_delay.") {
			longest, any = max(longest, d), true
		}
	}
	return longest, any
}

// ofResponse says that none of its conditions is on another clock, which would not
// see that the generator was late.
func (o *Objective) ofResponse() bool {
	return !strings.Contains(o.Text, "service.") && !strings.Contains(o.Text, "send_delay.")
}

// percentile is the highest that the objective speaks of, 0 if none.
func (o *Objective) percentile() (highest float64) {
	for _, c := range o.conditions {
		metric, _, _ := cutCondition(c.Text)
		_, name, found := strings.Cut(metric, ".p")
		if !found {
			name = strings.TrimPrefix(metric, "p")
		}
		if percent, err := strconv.ParseFloat(name, 64); err == nil {
			highest = max(highest, percent)
		}
	}
	return highest
}

// requestsMin is how many requests a probe must have in any case: with fewer,
// neither a share nor whether the schedule was kept to can be told.
const requestsMin = 100

// requests is how many a probe must have so that so many are expected beyond the
// highest percentile of the objective.
func (o *Objective) requests(beyond float64) int {
	return max(requestsMin, int(math.Ceil(beyond/(1-o.percentile()/100)-1e-6)))
}

// allowing is how many requests a probe must have so that one of them may be what
// the objective allows few of: 1,000 for ok>99.9%.
func (o *Objective) allowing() int {
	most := 0.0
	for _, c := range o.conditions {
		_, bound, below := cutCondition(c.Text)
		percent, found := strings.CutSuffix(bound, "%")
		share, err := strconv.ParseFloat(percent, 64)
		if !found || err != nil {
			continue
		}
		if !below {
			share = 100 - share
		}
		if share > 0 {
			most = max(most, 100/share)
		}
	}
	return int(math.Ceil(most - 1e-6))
}

// cutCondition takes a condition apart that has been parsed.
func cutCondition(text string) (metric, bound string, below bool) {
	at := strings.IndexAny(text, "<>")
	return text[:at], strings.TrimPrefix(text[at+1:], "="), text[at] == '<'
}
