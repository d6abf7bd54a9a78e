package doctor

import (
	"os"
	"strconv"
	"strings"
)

// read is a file of the kernel's, empty where there is none.
func read(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return string(data)
}

func loadAverage() *float64 { return parseLoad(read("/proc/loadavg")) }

// parseLoad reads the first figure of /proc/loadavg (proc(5)).
func parseLoad(text string) *float64 {
	fields := strings.Fields(text)
	if len(fields) == 0 {
		return nil
	}
	load, err := strconv.ParseFloat(fields[0], 64)
	if err != nil {
		return nil
	}
	return &load
}

func pressures() map[string]float64 {
	all := map[string]float64{}
	for _, resource := range []string{"cpu", "io", "memory"} {
		if percent, ok := parsePressure(read("/proc/pressure/" + resource)); ok {
			all[resource] = percent
		}
	}
	return all
}

// parsePressure reads "some avg10=…" of a pressure stall file
// (Documentation/accounting/psi.rst of Linux).
func parsePressure(text string) (percent float64, ok bool) {
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 2 || fields[0] != "some" {
			continue
		}
		value, found := strings.CutPrefix(fields[1], "avg10=")
		percent, err := strconv.ParseFloat(value, 64)
		return percent, found && err == nil
	}
	return 0, false
}

func memory() (total, available *int64) {
	text := read("/proc/meminfo")
	return parseMemory(text, "MemTotal:"), parseMemory(text, "MemAvailable:")
}

// parseMemory reads a line of /proc/meminfo, in KiB, as bytes.
func parseMemory(text, name string) *int64 {
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 2 || fields[0] != name {
			continue
		}
		kib, err := strconv.ParseInt(fields[1], 10, 64)
		if err != nil {
			return nil
		}
		bytes := kib << 10
		return &bytes
	}
	return nil
}

func ephemeralPorts() *[2]int { return parseRange(read("/proc/sys/net/ipv4/ip_local_port_range")) }

// parseRange reads two numbers.
func parseRange(text string) *[2]int {
	fields := strings.Fields(text)
	if len(fields) != 2 {
		return nil
	}
	low, errLow := strconv.Atoi(fields[0])
	high, errHigh := strconv.Atoi(fields[1])
	if errLow != nil || errHigh != nil {
		return nil
	}
	return &[2]int{low, high}
}

func listenQueue() *int {
	n, err := strconv.Atoi(strings.TrimSpace(read("/proc/sys/net/core/somaxconn")))
	if err != nil {
		return nil
	}
	return &n
}
