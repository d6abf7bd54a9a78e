package nullserver

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
)

// usual is what failing calls get.
const usual = codes.Unavailable

// takesMax bounds how long an answer may take, so that a mistyped behaviour does
// not look like a server that hangs.
const takesMax = time.Hour

// grammar is a line a behaviour.
const grammar = "stall:LENGTH/PERIOD, bimodal:MOST/SOME/SHARE%, fail:SHARE%"

// Parse reads a behaviour: "stall:1s/10s", "bimodal:200ms/800ms/10%" or
// "fail:1%". Empty is to answer at once, which is nil.
func Parse(text string) (Behaviour, error) {
	if text == "" {
		return nil, nil
	}
	kind, rest, _ := strings.Cut(text, ":")
	words := strings.Split(rest, "/")
	switch {
	case kind == "stall" && len(words) == 2:
		times, err := durations(words)
		if err != nil {
			return nil, fmt.Errorf("behaviour %q: %w", text, err)
		}
		if times[0] >= times[1] {
			return nil, fmt.Errorf("behaviour %q: a stall must be shorter than its period", text)
		}
		return Stall(times[0], times[1]), nil
	case kind == "bimodal" && len(words) == 3:
		times, err := durations(words[:2])
		if err != nil {
			return nil, fmt.Errorf("behaviour %q: %w", text, err)
		}
		share, err := parseShare(words[2])
		if err != nil {
			return nil, fmt.Errorf("behaviour %q: %w", text, err)
		}
		return Bimodal(times[0], times[1], share), nil
	case kind == "fail" && len(words) == 1:
		share, err := parseShare(words[0])
		if err != nil {
			return nil, fmt.Errorf("behaviour %q: %w", text, err)
		}
		return Failing(share, usual), nil
	}
	return nil, fmt.Errorf("no behaviour %q; say %s", text, grammar)
}

func durations(words []string) ([]time.Duration, error) {
	var times []time.Duration
	for _, word := range words {
		d, err := time.ParseDuration(word)
		if err != nil || d <= 0 || d > takesMax {
			return nil, fmt.Errorf("%q is no time between 0 and %v, such as 200ms", word, takesMax)
		}
		times = append(times, d)
	}
	return times, nil
}

func parseShare(word string) (Share, error) {
	number, percent := strings.CutSuffix(word, "%")
	f, err := strconv.ParseFloat(number, 64)
	if share := Share(f*float64(Percent) + 0.5); err == nil && percent && f > 0 && f <= 100 && share > 0 {
		return share, nil
	}
	return 0, fmt.Errorf("%q is no share between 0.0001%% and 100%%, such as 1%%", word)
}
