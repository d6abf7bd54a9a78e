package soak

// Series is what is read of each process.
type Series struct {
	Name string
	// Metric is its name in /metrics.
	Metric string
	// Unit is what figures are shown in, Per how much of the metric that is.
	Unit string
	Per  float64
	// Share of the mean and Constant, in the metric's own unit, add up to the
	// growth that is still flat.
	Share, Constant float64
}

const mib = 1 << 20

// Table is every series. The shares are the same: a soak of ten minutes that
// grows by a twentieth doubles in less than four hours.
var Table = []Series{
	// 4 MiB: what the runtime hands back to the system, or not, from one
	// collection to the next.
	{Name: "memory", Metric: "process_resident_memory_bytes", Unit: "MiB", Per: mib, Share: 0.05, Constant: 4 * mib},
	// 10: calls that happen to be under way.
	{Name: "goroutines", Metric: "go_goroutines", Per: 1, Share: 0.05, Constant: 10},
	// 5: connections that happen to be there.
	{Name: "files", Metric: "process_open_fds", Per: 1, Share: 0.05, Constant: 5},
}

// startMetric tells one process from the next at the same address, in seconds
// since 1970.
const startMetric = "process_start_time_seconds"

// bound is the growth that is still flat at a level.
func (s Series) bound(mean float64) float64 { return s.Share*mean + s.Constant }
