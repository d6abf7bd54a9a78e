package loadgen

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strconv"
	"time"
)

// ghzArgs are ghz's usual flags; beyond them, those that its help recommends for
// better performance, since the request has no templates, and to wait at the end
// for what is under way, which otherwise would count as failed.
func ghzArgs(j job) []string {
	args := []string{
		"--insecure", "--proto", j.files.proto, "--call", service + "/" + method, "--data", j.files.json,
		"--disable-template-functions", "--disable-template-data",
		"--connections", strconv.Itoa(j.connections), "--concurrency", strconv.Itoa(j.streams),
		"--duration", j.lasts.String(), "--duration-stop", "wait",
		"--format", "json", "--output", j.out,
	}
	if j.ratePerS > 0 {
		args = append(args, "--rps", strconv.Itoa(int(math.Round(j.ratePerS))))
	}
	return append(args, j.address)
}

// ghzReport is what is read of ghz's JSON.
type ghzReport struct {
	Count               int64            `json:"count"`
	SlowestNs           int64            `json:"slowest"`
	StatusCodes         map[string]int64 `json:"statusCodeDistribution"`
	LatencyDistribution []struct {
		Percentage int   `json:"percentage"`
		LatencyNs  int64 `json:"latency"`
	} `json:"latencyDistribution"`
	Details []struct {
		Timestamp time.Time `json:"timestamp"`
		LatencyNs int64     `json:"latency"`
		Status    string    `json:"status"`
	} `json:"details"`
}

// ghzTold reads what ghz reports. It shows no p99.9, but lists every call: that
// one is computed from its list.
func ghzTold(j job) (*Told, error) {
	text, err := os.ReadFile(j.out)
	if err != nil {
		return nil, fmt.Errorf("read what ghz reports: %w", err)
	}
	var r ghzReport
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, fmt.Errorf("read what ghz reports: %w", err)
	}
	told := &Told{Calls: r.Count, Failed: r.Count - r.StatusCodes["OK"], LatencyMs: Latency{}}
	told.MostFailed = mostBut("OK", r.StatusCodes)
	var times []time.Duration
	for _, d := range r.Details {
		if at := d.Timestamp.UnixNano(); told.StartedNs == 0 || at < told.StartedNs {
			told.StartedNs = at
		}
		if d.Status == "OK" { // as ghz itself does
			times = append(times, time.Duration(d.LatencyNs))
		}
	}
	if len(times) == 0 {
		return told, nil
	}
	for name, ms := range ofTimes(times) {
		if name == "p999" {
			told.LatencyMs[name] = ms
		}
	}
	told.LatencyMs["max"] = milliseconds(time.Duration(r.SlowestNs))
	for _, d := range r.LatencyDistribution {
		for _, q := range quantiles {
			if float64(d.Percentage) == q.q*100 && enough(len(times), q.q) {
				told.LatencyMs[q.name] = milliseconds(time.Duration(d.LatencyNs))
			}
		}
	}
	return told, nil
}

// mostBut is the key, other than one, that was counted most, the first by name of
// several; empty if there is none.
func mostBut(but string, counts map[string]int64) (most string) {
	for what, n := range counts {
		if what == but || n == 0 {
			continue
		}
		if most == "" || n > counts[most] || n == counts[most] && what < most {
			most = what
		}
	}
	return most
}
