package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"

	"breakbank/platform/part"
	"breakbank/platform/telemetry"
	adminv1 "breakbank/proto/admin/v1"
)

// PartConfig says which part of a platform this process is.
type PartConfig struct {
	// Topology is as it lies in the file; settings of a reset are applied on
	// top of it.
	Topology Topology
	Name     string
	Bank     Bank
	// Instance is the command that runs a service's instance as a child
	// process; the path of its spec is appended.
	Instance []string
	// Load makes a gentle load until ctx ends: role load is not known here.
	Load func(ctx context.Context, l LoadTask) error
	// Build is the program's version.
	Build string
}

// LoadTask is what the role load is told.
type LoadTask struct {
	RatePerS   float64
	Edges      func(service string) []string // addresses, in the order of zones
	Registerer prometheus.Registerer
	Log        *slog.Logger
}

// partProcess is a part while its process lives.
type partProcess struct {
	PartConfig
	spec     PartSpec
	topology Topology // with settings applied
	logs     *telemetry.Logs
	log      *slog.Logger
	registry *prometheus.Registry

	mu    sync.Mutex
	files map[string]*os.File // logs of instances, by service, for as long as the process lives
}

// role is a running role of a part.
type role struct {
	offers part.Offers
	// gatherer is its metrics, and those of the process; nil for the part's
	// registry.
	gatherer prometheus.Gatherer
	// over is closed when the role has ended by itself; nil if it never does.
	over  <-chan struct{}
	close func() error
}

// starters are the roles that a part can have, but for control.
var starters = map[string]func(context.Context, *partProcess) (role, error){
	RoleEtcd:      startEtcd,
	RoleAPIServer: startAPIServer,
	RoleNode:      startNode,
	RoleBook:      startBook,
	RoleNATS:      startNATS,
	RoleLoad:      startLoad,
}

// partStopLimit bounds how long calls may still run when a part ends.
const partStopLimit = 2 * time.Second

// RunPart runs one part until ctx ends. Its admin listener is there as soon as
// it does its work, and not before.
func RunPart(ctx context.Context, cfg PartConfig) (err error) {
	p := &partProcess{PartConfig: cfg, topology: cfg.Topology, registry: telemetry.NewRegistry(), files: map[string]*os.File{}}
	var ok bool
	if p.spec, ok = p.topology.Part(cfg.Name); !ok {
		return fmt.Errorf("the topology has no part %q", cfg.Name)
	}
	next, err := readNextLife(p.topology.Dir, cfg.Name)
	if err != nil {
		return err
	}
	// The file may have been changed since: then there is no more than what it
	// says to go by, until a reset.
	var misfit error
	if next.Settings != "" {
		var applied Topology
		if applied, misfit = p.topology.With(next.Settings); misfit == nil {
			p.topology = applied
		}
	}
	p.topology.Generation = next.Generation
	if err := next.begin(p.topology.Dir, cfg.Name); err != nil {
		return err
	}
	if p.logs, err = telemetry.OpenLogs(telemetry.LogsConfig{Dir: p.topology.LogDir, Stderr: p.topology.LogDir == ""}); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.logs.Close()) }()
	p.log = p.logs.Of(p.spec.Name)
	if misfit != nil {
		p.log.Error("the settings of the last reset do not fit the topology file any more", "error", misfit)
	}
	if p.spec.Role == RoleControl {
		return p.runControl(ctx)
	}
	running, err := p.start(ctx, next.Hold, misfit == nil)
	if err != nil {
		return p.showFailure(ctx, fmt.Errorf("start %s: %w", p.spec.Name, err))
	}
	defer func() { err = errors.Join(err, running.close()) }()
	stop, err := p.serve(running)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	p.log.Info("running", "role", p.spec.Role, "generation", next.Generation, "held", next.Hold)
	select {
	case <-ctx.Done():
		return nil
	case <-running.over:
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("%s has ended by itself", p.spec.Name)
	}
}

// start starts the part's role, unless it is held or not in use, or nobody knows
// by which settings.
func (p *partProcess) start(ctx context.Context, held, fits bool) (role, error) {
	switch {
	case !fits:
		return idle("the settings of the last reset do not fit the topology file any more: it waits for another"), nil
	case held:
		return idle("held: it waits for a reset"), nil
	case !p.topology.wanted(p.spec) && p.spec.Role != RoleEtcd:
		p.log.Info("not in use by this topology")
		return idle(""), nil
	}
	return starters[p.spec.Role](ctx, p)
}

// failureShown is for how long a part that could not be started can be asked why,
// and be reset, before it ends and is started again.
const failureShown = 10 * time.Second

// showFailure is RunPart of a part that could not be started. Settings that it
// cannot start with must not keep others from reaching it. Where there are no
// resets it ends at once.
func (p *partProcess) showFailure(ctx context.Context, failure error) error {
	if p.topology.layout() != LayoutContainers {
		return failure
	}
	p.log.Error("it could not be started, and ends", "in", failureShown, "error", failure)
	stop, err := p.serve(idle(failure.Error()))
	if err != nil {
		return errors.Join(failure, err)
	}
	if !rest(ctx, failureShown) {
		return stop() // Told to end meanwhile.
	}
	return errors.Join(failure, stop())
}

// idle is a part that does nothing.
func idle(why string) role {
	return role{offers: part.Offers{Unready: func() string { return why }}, close: func() error { return nil }}
}

// serve offers the part's admin listener until stop is called.
func (p *partProcess) serve(r role) (stop func() error, err error) {
	token, err := p.topology.token()
	if err != nil {
		return nil, err
	}
	l, err := p.topology.listen(p.spec.Admin)
	if err != nil {
		return nil, fmt.Errorf("admin listener of %s: %w", p.spec.Name, err)
	}
	offers := r.offers
	offers.Name, offers.Role, offers.Generation = p.spec.Name, p.spec.Role, p.topology.Generation
	if offers.SearchLogs == nil {
		offers.SearchLogs = p.logs.Search
	}
	offers.End = func(how *adminv1.EndPartRequest) error { return p.end(how) }
	offers.Die = die
	calls := grpc.NewServer()
	server := part.NewServer(offers)
	adminv1.RegisterPartServiceServer(calls, server)
	admin, err := telemetry.Serve(telemetry.Config{
		Listener: l, Token: token, Name: p.spec.Name, Role: p.spec.Role, Build: p.Build,
		Ready: func() error {
			if why := offers.Unready(); why != "" {
				return errors.New(why)
			}
			return nil
		},
		Gatherer: r.metrics(p.registry), GRPC: calls, Log: p.log,
	})
	if err != nil {
		return nil, err
	}
	return func() error {
		server.Close() // Watches first: nobody else would end them.
		ctx, cancel := context.WithTimeout(context.Background(), partStopLimit)
		defer cancel()
		return admin.Close(ctx)
	}, nil
}

func (r role) metrics(own prometheus.Gatherer) prometheus.Gatherer {
	if r.gatherer == nil {
		return own
	}
	return r.gatherer
}

// end takes in how the process is to be ended.
func (p *partProcess) end(how *adminv1.EndPartRequest) error {
	if changes := how.GetGeneration() != "" || how.GetWipe() || how.GetHold(); changes && p.topology.layout() != LayoutContainers {
		return fmt.Errorf("layout %s: a part can be ended, and not wiped, held or changed", p.topology.layout())
	}
	if _, err := p.Topology.With(how.GetSettings()); err != nil {
		return err
	}
	p.log.Warn("this process ends itself", "generation", how.GetGeneration(), "wipe", how.GetWipe(), "hold", how.GetHold())
	return decide(p.topology.Dir, p.spec.Name, how)
}

// die ends this process as a crash would.
func die() { _ = syscall.Kill(os.Getpid(), syscall.SIGKILL) }

// runControl is RunPart of the control process.
func (p *partProcess) runControl(ctx context.Context) error {
	l, err := p.topology.listen(p.spec.Admin)
	if err != nil {
		return fmt.Errorf("control API: %w", err)
	}
	admin, err := newAdminServer(adminConfig{
		Listener: l, Topology: p.topology, Name: p.spec.Name, Role: p.spec.Role, Build: p.Build, Gatherer: p.registry, Log: p.log,
	})
	if err != nil {
		return err
	}
	c, err := startControl(ctx, controlConfig{Topology: p.topology, File: p.Topology, Bank: p.Bank, Admin: admin, Logs: p.logs, Self: p.spec, Registry: p.registry},
		func(step string) { p.log.Info("starting", "step", step) })
	if err != nil {
		if ctx.Err() != nil {
			err = nil // Told to end before it was up.
		}
		return errors.Join(err, admin.Close())
	}
	p.log.Info("running", "role", p.spec.Role, "generation", p.topology.Generation)
	<-ctx.Done()
	err = admin.Close()
	c.Close()
	return err
}
