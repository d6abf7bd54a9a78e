package fault

import (
	"context"
	"errors"
	"fmt"
	"time"

	"breakbank/platform/process"
)

// processEndLimit bounds how long a kill may take to show. What is looked after
// from afar, as containers are, shows it only once another one has started.
const processEndLimit = 15 * time.Second

var processKill = Kind{
	Name:      "process-kill",
	About:     "a process ends by SIGKILL, without a chance to tidy up; what is looked after is started again",
	Momentary: true,
	Targets:   func(v Victims) []string { return v.Processes() },
	Without:   withoutProcesses,
	Inject: func(ctx context.Context, v Victims, target string, params map[string]string) (Active, error) {
		if err := onlyKnown(params); err != nil {
			return nil, err
		}
		before, err := livingProcess(ctx, v, target)
		if err != nil {
			return nil, err
		}
		if err := v.SignalProcess(ctx, target, SignalKill); err != nil {
			return nil, fmt.Errorf("kill %s: %w", target, err)
		}
		killed := &killedProcess{victims: v, name: target, before: before}
		if err := killed.confirm(ctx); err != nil {
			return nil, fmt.Errorf("%s was killed, and nothing shows it: %w", target, err)
		}
		return killed, nil
	},
}

// killedProcess proves a kill by the kernel's word that the process is gone.
type killedProcess struct {
	victims Victims
	name    string
	before  ProcessState
}

func (k *killedProcess) confirm(ctx context.Context) error {
	var last error
	err := until(ctx, processEndLimit, func() bool {
		_, gone, err := successor(ctx, k.victims, k.name, k.before)
		last = err
		return gone
	})
	if err != nil {
		return errors.Join(err, last)
	}
	return nil
}

// Clear has nothing to do: whoever looks after the process starts it again.
func (k *killedProcess) Clear(context.Context) error { return nil }

// Proof counts the process that is gone, and says what runs in its place.
func (k *killedProcess) Proof() Proof {
	after := "nothing runs by its name" // An instance's successor has another one.
	now, _, err := successor(context.Background(), k.victims, k.name, k.before)
	switch {
	case err != nil:
		after = "nobody knows what runs in its place"
	case now.State != process.Gone:
		after = fmt.Sprintf("%s is in its place", now)
	}
	return Proof{Count: 1, Evidence: fmt.Sprintf("%s was %s, which is gone; %s", k.name, k.before, after)}
}
