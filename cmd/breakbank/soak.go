package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"breakbank/bench/load"
	"breakbank/bench/machine"
	"breakbank/bench/soak"
	"breakbank/platform/access"
	"breakbank/platform/cluster"
	adminv1 "breakbank/proto/admin/v1"
)

// soakResultName is the file of a soak's result.
const soakResultName = "result.json"

// benchSoakCommand holds a platform under a steady load and watches its
// processes.
type benchSoakCommand struct {
	controlFlags

	Running  bool          `help:"Soak the platform that is up already, the current context's, in place of one of its own. So do --context and --control." group:"Which platform"`
	Arm      string        `default:"guarded" help:"Of a platform of its own: what the routers are made of, a name or a YAML file." group:"Which platform"`
	Rate     float64       `required:"" placeholder:"N" help:"Journeys a second; half of what 'breakbank capacity' finds is a good soak." group:"How much"`
	Duration time.Duration `default:"10m" placeholder:"TIME" help:"How long processes are read. Default: 10m." group:"How much"`
	WarmUp   time.Duration `default:"1m" placeholder:"TIME" help:"How long they are under load before that. Default: 1m." group:"How much"`
	Every    time.Duration `default:"5s" placeholder:"TIME" help:"How often each process is read. Default: 5s." group:"How much"`
	Seed     uint64        `default:"1" help:"Same seed, same schedule." group:"How much"`
	Out      string        `type:"path" placeholder:"DIR" help:"Write result.json there, with every reading, and the logs of a platform of its own." group:"What to say"`
	JSON     bool          `help:"Print the result as JSON and nothing else." group:"What to say"`
}

// soaked is a platform that is soaked.
type soaked struct {
	admin adminv1.AdminServiceClient
	// target is how it is reached from here.
	target access.Target
	// end takes down what was brought up for the soak.
	end func() error
}

func (c *benchSoakCommand) Run(ctx context.Context, t terminal) (err error) {
	if err := c.check(); err != nil {
		return err
	}
	began := time.Now()
	progress := func(text string) { fmt.Fprintln(t.err, text) }
	platform, err := c.platform(ctx, progress)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, platform.end()) }()
	reader := soak.NewReader(platform.target.Token)
	defer reader.Close()
	o := c.options()
	o.List, o.Read, o.Progress = platform.processes, reader.Read, progress
	o.Load = func(ctx context.Context) (soak.Load, error) { return c.load(ctx, platform) }
	r, err := soak.Run(ctx, o)
	if err != nil {
		return misuse(err)
	}
	r.Environment = machine.Describe(began, withoutSecrets(os.Args[1:]))
	if err := c.show(t, r); err != nil {
		return err
	}
	return judgeSoak(r)
}

// check refuses bad input before anything starts.
func (c *benchSoakCommand) check() error {
	if !(c.Rate > 0) {
		return misused("--rate %g: say journeys a second, more than 0", c.Rate)
	}
	if err := c.options().Check(); err != nil {
		return usageError{err}
	}
	if c.Out == "" {
		return nil
	}
	if err := os.MkdirAll(c.Out, 0o755); err != nil {
		return misused("--out: %w", err)
	}
	if err := probe(c.Out, resultBytes); err != nil {
		return misused("--out %s cannot take results: %w", c.Out, err)
	}
	return nil
}

func (c *benchSoakCommand) options() soak.Options {
	return soak.Options{WarmUp: c.WarmUp, Duration: c.Duration, Every: c.Every}
}

// platform is the one that is up already, or one of the soak's own.
func (c *benchSoakCommand) platform(ctx context.Context, progress func(string)) (*soaked, error) {
	if !c.Running && c.Context == "" && c.Control == "" {
		return startSoaked(ctx, c.Arm, c.Out, progress)
	}
	target, err := c.target()
	if err != nil {
		return nil, err
	}
	conn, err := dialControl(target)
	if err != nil {
		return nil, err
	}
	p := &soaked{admin: adminv1.NewAdminServiceClient(conn), target: target, end: conn.Close}
	if _, err := p.topology(ctx); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return p, nil
}

// adminLook bounds one look at the control API.
const adminLook = 10 * time.Second

func (p *soaked) topology(ctx context.Context) (*adminv1.GetTopologyResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, adminLook)
	defer cancel()
	topology, err := p.admin.GetTopology(ctx, &adminv1.GetTopologyRequest{})
	return topology, controlError(err, p.target, false)
}

// processes lists what can be read: parts by their admin listeners, instances by
// that of their node, others by their PIDs where they are of this machine.
func (p *soaked) processes(ctx context.Context) ([]soak.Process, error) {
	topology, err := p.topology(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, adminLook)
	defer cancel()
	stream, err := p.admin.WatchState(ctx, &adminv1.WatchStateRequest{})
	if err != nil {
		return nil, controlError(err, p.target, false)
	}
	state, err := stream.Recv()
	if err != nil {
		return nil, controlError(err, p.target, false)
	}
	return soakable(topology.GetLayout(), state, p.target.Control), nil
}

// soakable are the processes that can be read from here.
func soakable(layout string, state *adminv1.WatchStateResponse, control string) []soak.Process {
	admin, node := map[string]string{}, map[string]string{}
	for _, s := range state.GetProcesses() {
		admin[s.GetName()] = s.GetAdminAddress()
	}
	for _, i := range state.GetInstances() {
		node[i.GetName()] = i.GetNode()
	}
	var all []soak.Process
	for _, s := range state.GetProcesses() {
		p := soak.Process{Name: s.GetName(), Role: s.GetRole(), Admin: s.GetAdminAddress(), PID: int(s.GetPid())}
		if p.Admin == "" {
			// An instance is on the page of its node.
			p.Admin, p.Instance = admin[node[p.Name]], p.Name
		}
		if p.Admin == "" && (layout != cluster.LayoutProcesses || p.PID == 0) {
			continue // Of another machine, for all we know.
		}
		all = append(all, p)
	}
	if len(state.GetProcesses()) == 0 && control != "" {
		all = append(all, soak.Process{Name: "platform", Role: roleAll, Admin: control})
	}
	return all
}

// load offers the load and says what came of it.
func (c *benchSoakCommand) load(ctx context.Context, p *soaked) (soak.Load, error) {
	topology, err := p.topology(ctx)
	if err != nil {
		return soak.Load{}, err
	}
	edges := map[string][]string{}
	for _, e := range topology.GetEdges() {
		address := p.target.Edges.Address(e.GetNode(), e.GetService(), e.GetAddress())
		edges[e.GetService()] = append(edges[e.GetService()], address)
	}
	r, err := load.Run(ctx, load.Spec{
		Bank: &load.BankSpec{Edges: edges}, RatePerS: c.Rate, Seed: c.Seed,
		WarmUp: c.WarmUp, Duration: c.Duration + soak.LoadSlack,
	}, load.Options{RunID: load.NewRunID(time.Now(), "soak")})
	if err != nil {
		return soak.Load{}, err
	}
	l := soak.Load{RatePerS: c.Rate, Sent: r.Totals.Sent, GoodShare: r.Goodput.Share, Notes: append([]string{}, r.InvalidReasons...)}
	if r.Totals.Scheduled > 0 {
		l.SentShare = float64(r.Totals.Sent) / float64(r.Totals.Scheduled)
	}
	return l, nil
}

// show prints the result, and writes it where it was asked for.
func (c *benchSoakCommand) show(t terminal, r *soak.Result) error {
	if c.Out != "" {
		data, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			return fmt.Errorf("write the result: %w", err)
		}
		if err := os.WriteFile(filepath.Join(c.Out, soakResultName), append(data, '\n'), 0o644); err != nil {
			return fmt.Errorf("write the result: %w", err)
		}
	}
	return t.show(c.JSON, r, soak.Text(r))
}

// judgeSoak is the error of a soak that was stopped, was none, or in which a
// process did not stay as it was.
func judgeSoak(r *soak.Result) error {
	var not []string
	for _, p := range r.Processes {
		if p.Verdict != soak.Flat {
			not = append(not, p.Name+" "+string(p.Verdict))
		}
	}
	switch {
	case r.Partial:
		return errors.New("stopped before its end; what was measured is marked partial")
	case !r.Load.Carried():
		return invalidError{fmt.Errorf("it was no soak: %.1f %% of the load was sent, %.1f %% answered well", 100*r.Load.SentShare, 100*r.Load.GoodShare)}
	case len(not) > 0:
		return missedError{fmt.Errorf("not flat: %s", strings.Join(not, ", "))}
	}
	return nil
}
