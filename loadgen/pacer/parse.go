package pacer

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"breakbank/loadgen"
)

// kinds is the table of pacers.
var kinds = [...]struct {
	name string
	// form is what follows the name and a colon; for people.
	form, example string
	// bare says that the name alone will do.
	bare  bool
	parse func(args string, ratePerS float64) (loadgen.Pacer, error)
}{
	{"poisson", "RATE", "poisson:500", true, parsePoisson},
	{"constant", "RATE", "constant:500", true, parseConstant},
	{"ramp", "FROM..TO/OVER", "ramp:0..1000/30s", false, parseRamp},
	{"step", "FROM..TO@AT", "step:100..900@5s", false, parseStep},
	{"burst", "BASE..PEAK/FOR/EVERY", "burst:250..1500/200ms/1s", false, parseBurst},
	{"sine", "MEAN+-SWING/PERIOD", "sine:500+-400/60s", false, parseSine},
	{"trace", "FILE", "trace:arrivals.csv", false, parseTraceFile},
}

// Parse reads a pacer as people write it:
//
//	pacer  = "poisson" [ ":" rate ]                    customers who know nothing of each other
//	       | "constant" [ ":" rate ]                   a metronome
//	       | "ramp:" rate ".." rate "/" time           from .. to / over
//	       | "step:" rate ".." rate "@" time           from .. to @ when
//	       | "burst:" rate ".." rate "/" time "/" time base .. peak / for / every
//	       | "sine:" rate "+-" rate "/" time           mean +- swing / period
//	       | "trace:" file                             see ParseTrace
//	rate   = number | number "x"                       per second | times ratePerS
//	time   = as time.ParseDuration reads it            "200ms", "1m30s"
//
// A poisson or constant without a rate has ratePerS. Where rates are given
// outright, ratePerS means nothing. What is returned is valid.
func Parse(spec string, ratePerS float64) (loadgen.Pacer, error) {
	name, args, given := strings.Cut(spec, ":")
	for _, k := range kinds {
		if k.name != name {
			continue
		}
		if !given && k.bare {
			args = "1x"
		} else if args == "" {
			return nil, fmt.Errorf("pacer %q: write %s:%s, such as %s", spec, k.name, k.form, k.example)
		}
		p, err := k.parse(args, ratePerS)
		if form := (*formError)(nil); errors.As(err, &form) {
			return nil, fmt.Errorf("pacer %q: %w; write %s:%s, such as %s", spec, err, k.name, k.form, k.example)
		} else if err != nil {
			return nil, err
		}
		if v, ok := p.(loadgen.Validator); ok {
			if err := v.Validate(); err != nil {
				return nil, fmt.Errorf("pacer %q: %w", spec, err)
			}
		}
		return p, nil
	}
	return nil, fmt.Errorf("no pacer %q; the pacers are %s", cut(spec), Forms())
}

// Forms lists how pacers are written, for a usage text.
func Forms() string {
	var forms []string
	for _, k := range kinds {
		if k.bare {
			forms = append(forms, k.name)
		} else {
			forms = append(forms, k.name+":"+k.form)
		}
	}
	return strings.Join(forms, ", ")
}

// Text is how a pacer is written in results. That of a pacer of this package is
// what Parse reads.
func Text(p loadgen.Pacer) string {
	if s, ok := p.(fmt.Stringer); ok {
		return s.String()
	}
	return fmt.Sprintf("%T", p)
}

func parsePoisson(args string, ratePerS float64) (loadgen.Pacer, error) {
	r := reader{rest: args, ratePerS: ratePerS}
	p := Poisson{PerS: r.rate("")}
	return p, r.err
}

func parseConstant(args string, ratePerS float64) (loadgen.Pacer, error) {
	r := reader{rest: args, ratePerS: ratePerS}
	p := Constant{PerS: r.rate("")}
	return p, r.err
}

func parseRamp(args string, ratePerS float64) (loadgen.Pacer, error) {
	r := reader{rest: args, ratePerS: ratePerS}
	p := Ramp{FromPerS: r.rate(".."), ToPerS: r.rate("/"), Over: r.time("")}
	return p, r.err
}

func parseStep(args string, ratePerS float64) (loadgen.Pacer, error) {
	r := reader{rest: args, ratePerS: ratePerS}
	p := Step{FromPerS: r.rate(".."), ToPerS: r.rate("@"), At: r.time("")}
	return p, r.err
}

func parseBurst(args string, ratePerS float64) (loadgen.Pacer, error) {
	r := reader{rest: args, ratePerS: ratePerS}
	p := Burst{BasePerS: r.rate(".."), PeakPerS: r.rate("/"), For: r.time("/"), Every: r.time("")}
	return p, r.err
}

func parseSine(args string, ratePerS float64) (loadgen.Pacer, error) {
	r := reader{rest: args, ratePerS: ratePerS}
	p := Sine{MeanPerS: r.rate("+-"), SwingPerS: r.rate("/"), Period: r.time("")}
	return p, r.err
}

func parseTraceFile(file string, _ float64) (loadgen.Pacer, error) {
	return ReadTrace(file)
}

// formError is that a spec is not written as its form asks.
type formError struct{ text string }

func (e *formError) Error() string { return e.text }

// reader takes the parts of a spec from left to right and keeps the first error.
type reader struct {
	rest     string
	ratePerS float64
	err      error
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = &formError{fmt.Sprintf(format, args...)}
	}
}

// part is what comes before end; all that is left if end is empty.
func (r *reader) part(end string) string {
	if end == "" || r.err != nil {
		return r.rest
	}
	part, rest, found := strings.Cut(r.rest, end)
	if !found {
		r.fail("%q lacks a %q", cut(r.rest), end)
	}
	r.rest = rest
	return part
}

func (r *reader) rate(end string) float64 {
	part := r.part(end)
	if r.err != nil {
		return 0
	}
	digits, times := strings.CutSuffix(part, "x")
	v, err := strconv.ParseFloat(digits, 64)
	if err != nil {
		r.fail("%q is neither a rate per second nor a multiple like 2x", cut(part))
	}
	if times {
		v *= r.ratePerS
	}
	return v
}

func (r *reader) time(end string) time.Duration {
	part := r.part(end)
	if r.err != nil {
		return 0
	}
	d, err := time.ParseDuration(part)
	if err != nil {
		r.fail("%q is not a time like 200ms or 1m30s", cut(part))
	}
	return d
}

// number is a number without an exponent.
func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
