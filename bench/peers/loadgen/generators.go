package loadgen

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"time"

	"breakbank/bench/peers/comparison"
)

// Names of generators that the bars speak of.
const (
	breakbank = "breakbank"
	closed    = "breakbank-closed"
	ghz       = "ghz"
	h2load    = "h2load"
)

// Generator is something that makes load.
type Generator struct {
	Name string
	// About says in a few words what it is.
	About string
	// Install is the command that installs it, empty for what breakbank brings
	// along.
	Install string

	// program is the executable's name, empty for breakbank itself.
	program string
	// versionArgs make the program print its version.
	versionArgs []string
	// suits says which cases it can be put to.
	suits func(c Case) bool
	// args make it do a job.
	args func(j job) []string
	// told reads what it reports of a job that has ended; nil where it reports
	// nothing that is asked for.
	told func(j job) (*Told, error)
	// reportCosts says that reporting costs it while it works, so that it does so
	// only where a job says observe.
	reportCosts bool
}

// job is what a generator is to do.
type job struct {
	address              string
	connections, streams int
	// ratePerS is 0 for as many as go through.
	ratePerS float64
	// even says that requests are as far from each other as the rate says, which
	// ghz and h2load always do; otherwise breakbank draws a Poisson process.
	even bool
	// maxInFlight, if above 0, caps breakbank's requests under way.
	maxInFlight int
	lasts       time.Duration
	seed        uint64
	// observe says that what it reports is asked for, and out is the file for it.
	observe bool
	out     string
	files   files
}

// requests is how many a job at a rate has.
func (j job) requests() int { return int(j.ratePerS*j.lasts.Seconds() + 0.5) }

// Told is what a generator reports of a job.
type Told struct {
	// Calls were made, of which Failed had another status than OK, or none.
	Calls  int64 `json:"calls"`
	Failed int64 `json:"failed"`
	// StartedNs is when the first was due, in Unix time.
	StartedNs int64 `json:"started_ns"`
	// LatencyMs is of breakbank the response, of the others what they call
	// latency.
	LatencyMs Latency `json:"latency_ms"`

	// What follows only breakbank tells. OfferedShare is how much of the schedule
	// was sent; StrayD is how far sent times strayed from it.
	OfferedShare   float64 `json:"offered_share,omitempty"`
	ServiceMs      Latency `json:"service_ms,omitempty"`
	SendDelayMs    Latency `json:"send_delay_ms,omitempty"`
	StrayD         float64 `json:"stray_d,omitempty"`
	ScheduleSHA256 string  `json:"schedule_sha256,omitempty"`
	// MostFailed says why most of the failed did.
	MostFailed string `json:"most_failed,omitempty"`
}

// Generators is the table of all generators. ghz and h2load are what the ratios
// refer to.
var Generators = []Generator{
	{
		Name: breakbank, About: "breakbank's, open loop: a schedule, three clocks a request",
		suits: func(Case) bool { return true }, args: offerArgs, told: offerTold,
	},
	{
		Name: closed, About: "breakbank's as a closed loop: what it costs without a schedule",
		suits: func(c Case) bool { return c.Kind == Saturation }, args: offerArgs,
	},
	{
		Name: ghz, About: "ghz", Install: "go install github.com/bojand/ghz/cmd/ghz@v0.121.0", program: "ghz",
		versionArgs: []string{"--version"},
		suits:       func(Case) bool { return true }, args: ghzArgs, told: ghzTold,
	},
	{
		Name: h2load, About: "h2load", Install: "apt-get install nghttp2-client", program: "h2load",
		versionArgs: []string{"--version"},
		// A failed gRPC call is a fine answer of HTTP to it.
		suits: func(c Case) bool { return !c.Fails }, args: h2loadArgs, told: h2loadTold, reportCosts: true, // a line a request
	},
}

// Names lists the generators in the order of the table.
func Names() []string { return comparison.Names(Generators, Generator.name) }

// ByNames finds generators, in the order of the table; no names, and it is all of
// them. An unknown name is an error that lists the known ones.
func ByNames(names []string) ([]Generator, error) {
	return comparison.ByNames("generator", Generators, Generator.name, names)
}

func (g Generator) name() string { return g.Name }

// Missing is a generator that could not be measured.
type Missing struct {
	Generator string `json:"generator"`
	// Why says in one line what is wrong.
	Why string `json:"why"`
	// Install is the command that mends it, empty where none is known.
	Install string `json:"install,omitempty"`
}

func (m Missing) String() string {
	if m.Install == "" {
		return m.Generator + ": " + m.Why
	}
	return fmt.Sprintf("%s: %s (%s)", m.Generator, m.Why, m.Install)
}

// Installed divides generators into those whose program is on this machine, with
// the versions of other people's, and those that are missing.
func Installed(all []Generator) (here []Generator, versions map[string]string, missing []Missing) {
	versions = map[string]string{}
	for _, g := range all {
		if g.program == "" {
			here = append(here, g)
			continue
		}
		path, found := g.find()
		if !found {
			missing = append(missing, Missing{Generator: g.Name, Why: "not installed", Install: g.Install})
			continue
		}
		here = append(here, g)
		versions[g.Name] = g.version(path)
	}
	return here, versions, missing
}

// find looks the program up, on the path, beside this program, where 'make ghz'
// puts it, and where 'go install' does.
func (g Generator) find() (path string, found bool) {
	if path, err := exec.LookPath(g.program); err == nil {
		return path, true
	}
	dirs := goBins()
	if own, err := os.Executable(); err == nil {
		dirs = append([]string{filepath.Dir(own)}, dirs...)
	}
	for _, dir := range dirs {
		if path, err := exec.LookPath(filepath.Join(dir, g.program)); err == nil {
			return path, true
		}
	}
	return "", false
}

// goBins are the directories that 'go install' may have used ('go help
// install').
func goBins() []string {
	var dirs []string
	if dir := os.Getenv("GOBIN"); dir != "" {
		dirs = append(dirs, dir)
	}
	for _, dir := range filepath.SplitList(os.Getenv("GOPATH")) {
		dirs = append(dirs, filepath.Join(dir, "bin"))
	}
	if home, err := os.UserHomeDir(); err == nil {
		dirs = append(dirs, filepath.Join(home, "go", "bin"))
	}
	return dirs
}

// versionNumber is a number with dots, and what packagers add to it.
var versionNumber = regexp.MustCompile(`\d+\.\d+[\w.+~-]*`)

// builtFrom finds the version of the module that a Go program was built from, in
// the text that Go leaves in it ("go version -m" shows it). debug/buildinfo finds
// it too, and would bring readers of every kind of executable for it.
var builtFrom = regexp.MustCompile(`\nmod\t[\w./-]+\tv([\w.+-]+)`)

// version asks a program for its version, or the module it was built from; empty
// if neither tells.
func (g Generator) version(path string) string {
	if said, err := exec.Command(path, g.versionArgs...).CombinedOutput(); err == nil {
		if number := versionNumber.FindString(string(said)); number != "" {
			return number
		}
	}
	if program, err := os.ReadFile(path); err == nil {
		if built := builtFrom.FindSubmatch(program); built != nil {
			return string(built[1])
		}
	}
	return ""
}
