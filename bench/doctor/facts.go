// Package doctor says what a machine has and lacks for runs that can be trusted.
// Probe measures, each probe within a bound; Judge, which is pure, says of the
// facts what they mean for results.
package doctor

import (
	"time"

	"breakbank/platform/ports"
)

// Facts are what was found. A pointer is nil, and a text empty, where a system
// does not tell.
type Facts struct {
	OS string `json:"os"`
	// Cores are the machine's, UsableCores what this process may use of them.
	Cores       int `json:"cores"`
	UsableCores int `json:"usable_cores"`
	// MemoryBytes is all, AvailableBytes what could be had now.
	MemoryBytes    *int64 `json:"memory_bytes"`
	AvailableBytes *int64 `json:"available_bytes"`
	// Load1 is the load average of the last minute.
	Load1 *float64 `json:"load_1"`
	// Pressures are how much of the last ten seconds some task waited, in
	// percent, by resource: cpu, io, memory.
	Pressures map[string]float64 `json:"pressure_some_percent"`
	// Busy and Stolen are shares of the machine's time, 0 to 1, over a moment in
	// which we did nothing: what other processes used, what the host gave to
	// others.
	Busy   *float64 `json:"busy_share"`
	Stolen *float64 `json:"stolen_share"`

	Disks []Disk `json:"disks"`

	Ports       Ports   `json:"ports"`
	FilesMax    int64   `json:"open_files_max"`
	Ephemeral   *[2]int `json:"ephemeral_ports"`
	ListenQueue *int    `json:"listen_queue_max"`

	Docker Docker `json:"docker"`
	Tools  []Tool `json:"tools"`
	// GoTool is the version of the Go toolchain, Go what this program was built
	// with.
	GoTool string `json:"go_tool"`
	Go     string `json:"go"`
}

// Disk is a directory where a run would write.
type Disk struct {
	Dir string `json:"dir"`
	// Needed says that no run does without it; for results there are others.
	Needed bool `json:"needed"`
	// Error says why it cannot be written; the rest is then empty.
	Error     string `json:"error,omitempty"`
	FreeBytes int64  `json:"free_bytes"`
	// Syncs is how many blocks of 4 KiB were written and synced, one after the
	// other; P50 and P99 are how long that took. Max stands for P99 where there
	// were too few for one.
	Syncs int           `json:"syncs"`
	P50   time.Duration `json:"sync_p50_ns"`
	P99   time.Duration `json:"sync_p99_ns"`
	Max   time.Duration `json:"sync_max_ns"`
}

// Ports are the loopback ports that a platform's parts are given.
type Ports struct {
	Range ports.Range `json:"range"`
	// Tried is how many were tried, Taken how many of those others have.
	Tried int `json:"tried"`
	Taken int `json:"taken"`
	// Control is the address where the control API listens unless told
	// otherwise, ControlTaken whether somebody is there already.
	Control      string `json:"control"`
	ControlTaken bool   `json:"control_taken"`
}

// Docker is what there is for containers. A version is empty where there is
// none, the error beside it says why.
type Docker struct {
	Client  string `json:"client"`
	Server  string `json:"server"`
	Compose string `json:"compose"`
	// ComposeCommand is how it is called: "docker compose", or "docker-compose".
	ComposeCommand string `json:"compose_command"`
	Error          string `json:"error,omitempty"`
}

// Tool is a program of others that some commands use.
type Tool struct {
	Name string `json:"name"`
	// For says what for.
	For string `json:"for"`
	// Path is empty where it is not installed, Version where it does not say.
	Path    string `json:"path"`
	Version string `json:"version"`
}
