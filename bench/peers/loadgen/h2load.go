package loadgen

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// h2loadArgs are h2load's usual flags. Its threads are as many as there are
// processors to run on and connections to divide. At a rate it is told how many
// requests to make, not how long, since at the end of its time it drops what is
// under way.
func h2loadArgs(j job) []string {
	args := []string{
		"--clients", strconv.Itoa(j.connections),
		"--max-concurrent-streams", strconv.Itoa(max(1, j.streams/j.connections)),
		"--threads", strconv.Itoa(min(j.connections, runtime.NumCPU())),
		"--data", j.files.body, "--header", "content-type: application/grpc", "--header", "te: trailers",
	}
	if j.ratePerS > 0 {
		args = append(args,
			"--rps", strconv.FormatFloat(j.ratePerS/float64(j.connections), 'f', -1, 64), // each client's
			"--requests", strconv.Itoa(j.requests()))
	} else {
		args = append(args, "--duration", fmt.Sprintf("%dms", j.lasts.Milliseconds()))
	}
	if j.observe {
		args = append(args, "--log-file", j.out)
	}
	return append(args, "http://"+j.address+"/"+service+"/"+method)
}

// h2loadTold reads h2load's log, a line a request: when it started, in Unix
// microseconds, the HTTP status, and how many microseconds it took. What h2load
// prints has the mean and the ends of these times only.
func h2loadTold(j job) (*Told, error) {
	log, err := os.Open(j.out)
	if err != nil {
		return nil, fmt.Errorf("read h2load's log: %w", err)
	}
	defer log.Close()
	told := &Told{}
	var times []time.Duration
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		var numbers [3]int64
		if len(fields) < len(numbers) {
			return nil, fmt.Errorf("read h2load's log: a line %q", lines.Text())
		}
		for i := range numbers {
			if numbers[i], err = strconv.ParseInt(fields[i], 10, 64); err != nil {
				return nil, fmt.Errorf("read h2load's log: %w", err)
			}
		}
		const fine = 200
		told.Calls++
		if numbers[1] != fine {
			told.Failed++
			told.MostFailed = "HTTP " + fields[1]
			continue
		}
		if at := time.UnixMicro(numbers[0]).UnixNano(); told.StartedNs == 0 || at < told.StartedNs {
			told.StartedNs = at
		}
		times = append(times, time.Duration(numbers[2])*time.Microsecond)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read h2load's log: %w", err)
	}
	told.LatencyMs = ofTimes(times)
	return told, nil
}
