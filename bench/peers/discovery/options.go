package discovery

import (
	"errors"
	"fmt"
	"os/exec"
	"time"
)

// What is measured unless asked otherwise (routing.md, "Speed of discovery").
const (
	DefaultRouters   = 100
	DefaultServices  = 1000
	DefaultEndpoints = 10
	DefaultChanges   = 10 // a second
	DefaultDuration  = 10 * time.Second
	DefaultBlocks    = 5
	DefaultFlood     = 5 * time.Second
)

// Bounds of the options: what fits one machine, and what a run needs to say
// anything.
const (
	routersMax   = 1000
	servicesMax  = 20_000
	endpointsMax = 100
	changesMax   = 2000
	durationMin  = time.Second
	durationMax  = 5 * time.Minute
	blocksMax    = 50
)

// The flood: as many changes as a whole cluster in turmoil makes, to few
// routers, so that it is they that must keep up and not the API servers'
// processors.
const (
	floodChanges = 1000
	floodRouters = 10
)

// Options say what to measure.
type Options struct {
	// Self returns a command that runs ServeRegistry in a process of its own.
	Self func() *exec.Cmd
	// Policies are those of the routers called guarded.
	Policies []string
	// Parser is the routers'.
	Parser string

	// Routers is how many followers of each kind there are.
	Routers, Services, Endpoints int
	ChangesPerS                  float64
	// Duration is how long each kind is measured in each block.
	Duration time.Duration
	Blocks   int
	// Flood is how long the flood lasts; 0 leaves it out.
	Flood time.Duration
	Seed  uint64
	// Flags are the arguments that the run was started with.
	Flags []string
	// Progress is told what happens, a line at a time. nil: nobody is.
	Progress func(string)
	// kinds is what is compared; nil is all of them.
	kinds []kind
}

// Check says what is wrong with the options, before anything starts.
func (o Options) Check() error {
	var errs []error
	within := func(flag string, value, least, most float64) {
		if value < least || value > most {
			errs = append(errs, fmt.Errorf("--%s %g: it can be %g to %g", flag, value, least, most))
		}
	}
	within("routers", float64(o.Routers), 1, routersMax)
	within("services", float64(o.Services), 1, servicesMax)
	within("endpoints", float64(o.Endpoints), 1, endpointsMax)
	within("changes-per-s", o.ChangesPerS, 0.1, changesMax)
	within("blocks", float64(o.Blocks), 1, blocksMax)
	if o.Duration < durationMin || o.Duration > durationMax {
		errs = append(errs, fmt.Errorf("--duration %v: it can be %v to %v", o.Duration, durationMin, durationMax))
	}
	if len(errs) == 0 && o.ChangesPerS*o.Duration.Seconds() < 1 {
		errs = append(errs, fmt.Errorf("--changes-per-s %g for --duration %v: that is no change at all", o.ChangesPerS, o.Duration))
	}
	return errors.Join(errs...)
}

func (o Options) say(format string, args ...any) {
	if o.Progress != nil {
		o.Progress(fmt.Sprintf(format, args...))
	}
}
