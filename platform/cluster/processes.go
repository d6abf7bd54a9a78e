package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"breakbank/platform/ports"
	"breakbank/platform/supervise"
	"breakbank/platform/telemetry"
)

// ProcessesConfig says what platform to spread over processes.
type ProcessesConfig struct {
	// Topology needs no parts: they are placed on this machine.
	Topology Topology
	// Bank is what it runs; its constructors are the executable's affair.
	Bank Bank
	// Executable is run as "executable run ROLE/NAME --topology FILE" for each
	// part.
	Executable string
	Build      string
}

// spread is a platform whose parts are children of this process, which controls
// them.
type spread struct {
	*control
	// ports are those of its parts, but for the instances on nodes.
	ports      *ports.Allocator
	supervisor *supervise.Supervisor
	admin      *adminServer
	logs       *telemetry.Logs
	// outputs are where parts write what is no line of their logs.
	outputs []*os.File
}

// StartProcesses brings a platform up with a process for each part, and waits
// until every instance is ready and every router has a table. On error nothing
// is left running. The control API and the controllers are in this process.
func StartProcesses(ctx context.Context, cfg ProcessesConfig, progress func(string)) (*Platform, error) {
	s := &spread{ports: ports.New()}
	if err := s.start(ctx, cfg, progress); err != nil {
		err = errors.Join(err, s.crashes())
		s.abandon()
		return nil, err
	}
	// From here on the platform closes all that it stands on, after itself.
	s.closers = append([]namedCloser{{"processes", func() error { s.closeBelow(); return nil }}}, s.closers...)
	progress("waiting until every instance serves")
	if err := s.awaitReady(ctx); err != nil {
		err = errors.Join(err, s.crashes())
		s.Close()
		return nil, err
	}
	return s.Platform, nil
}

func (s *spread) start(ctx context.Context, cfg ProcessesConfig, progress func(string)) error {
	t, err := cfg.Topology.Placed(s.ports)
	if err != nil {
		return err
	}
	file := filepath.Join(t.Dir, "parts.yaml")
	if err := t.Write(file); err != nil {
		return err
	}
	if s.logs, err = telemetry.OpenLogs(telemetry.LogsConfig{Dir: t.LogDir}); err != nil {
		return err
	}
	self, _ := t.Part(RoleControl)
	l, err := t.listen(self.Admin)
	if err != nil {
		return fmt.Errorf("control API: %w", err)
	}
	metrics := telemetry.NewRegistry()
	s.admin, err = newAdminServer(adminConfig{
		Listener: l, Topology: t, Name: self.Name, Role: self.Role, Build: cfg.Build,
		Gatherer: metrics, Log: s.logs.Of("control"),
	})
	if err != nil {
		return err
	}
	progress("processes")
	s.supervisor = supervise.New(supervise.Config{Log: s.logs.Of("supervisor")})
	for _, p := range t.Parts {
		if p.Role == RoleControl {
			continue
		}
		output, err := os.OpenFile(filepath.Join(t.LogDir, "process-"+p.Name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			return fmt.Errorf("log of %s: %w", p.Name, err)
		}
		s.outputs = append(s.outputs, output)
		err = s.supervisor.Start(ctx, supervise.Part{Name: p.Name, Stderr: output, Command: func() *exec.Cmd {
			cmd := exec.Command(cfg.Executable, "run", p.Role+"/"+p.Name, "--topology", file)
			cmd.Env = append(os.Environ(), partEnv...)
			return cmd
		}})
		if err != nil {
			return fmt.Errorf("part %s: %w", p.Name, err)
		}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, readyLimit, fmt.Errorf("not there after %v", readyLimit))
	defer cancel()
	s.control, err = startControl(ctx, controlConfig{Topology: t, Bank: cfg.Bank, Admin: s.admin, Logs: s.logs, Supervisor: s.supervisor, Self: self, Registry: metrics}, progress)
	return err
}

// partEnv keeps processes small of which twenty share a machine.
var partEnv = []string{"GOMAXPROCS=2"}

// abandon ends what has been started, when the rest could not be.
func (s *spread) abandon() {
	if s.control != nil {
		s.Close()
	}
	s.closeBelow()
}

// closeBelow ends what the platform stands on.
func (s *spread) closeBelow() {
	if s.admin != nil {
		_ = s.admin.Close() // Calls that were cut off have been told.
	}
	if s.supervisor != nil {
		s.supervisor.Close()
	}
	for _, f := range s.outputs {
		_ = f.Close()
	}
	if s.logs != nil {
		_ = s.logs.Close() // Nothing is written any more that anybody would read.
	}
	s.ports.Close()
}

// crashes says which parts end again and again, and how; nil if none does.
func (s *spread) crashes() error {
	if s.supervisor == nil {
		return nil
	}
	var errs []error
	for _, part := range s.supervisor.List() {
		if part.CrashLoop != "" {
			errs = append(errs, fmt.Errorf("%s: %s, last at %s; process-%s.log says why", part.Name, part.CrashLoop, part.LastExit, part.Name))
		}
	}
	return errors.Join(errs...)
}

var errNotHere = errors.New("not a process of this platform")
