package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"google.golang.org/grpc"

	"breakbank/bench/arm"
	"breakbank/bench/replay"
	"breakbank/platform/cluster"
)

// session is a platform that a run has for itself.
type session interface {
	replay.Platform
	// end kills the platform and removes its data. It may be called more than
	// once.
	end() error
}

// startSession brings a platform up, or takes over one in containers. The
// caller ends it.
func startSession(ctx context.Context, o sessionOptions) (session, error) {
	if o.layout == cluster.LayoutContainers {
		return startStackSession(ctx, o)
	}
	return startChildSession(ctx, o)
}

// childSession is a platform below this process, with the directories it needs.
type childSession struct {
	child *cluster.Child
	// dir holds the platform's data and is removed at the end.
	dir string
}

// sessionOptions say what platform to start.
type sessionOptions struct {
	arm *arm.Arm
	// layout is cluster.LayoutSingle, LayoutProcesses or LayoutContainers.
	layout     string
	members    int
	seed       uint64
	durability string
	// logDir keeps the logs; it outlives the session.
	logDir string
	// adminAddress is where the control API listens; empty for any port.
	adminAddress string
	progress     func(string)
	// control and storesDir say where a stack of containers is, and where this
	// process sees its book.
	control   controlFlags
	storesDir string
}

// startChildSession brings a platform up in processes below this one.
func startChildSession(ctx context.Context, o sessionOptions) (*childSession, error) {
	dir, err := os.MkdirTemp("", "breakbank-")
	if err != nil {
		return nil, fmt.Errorf("make a directory for the platform: %w", err)
	}
	s := &childSession{dir: dir}
	t := standardTopology(o.arm)
	t.Layout, t.RegistryMembers, t.Seed = o.layout, o.members, o.seed
	t.Durability = o.durability
	t.Dir, t.LogDir = dir, o.logDir
	t.AdminAddress = o.adminAddress
	t.RemoveWhenOrphaned = true

	executable, err := os.Executable()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("find this program: %w", err), s.end())
	}
	if err := os.MkdirAll(o.logDir, 0o755); err != nil {
		return nil, errors.Join(fmt.Errorf("make the log directory: %w", err), s.end())
	}
	s.child, err = cluster.Spawn(ctx, executable, t, o.progress)
	if err != nil {
		return nil, errors.Join(err, s.end())
	}
	return s, nil
}

// standardTopology is three zones of two nodes with the whole bank, and routers
// as an arm says.
func standardTopology(a *arm.Arm) cluster.Topology {
	t := cluster.Standard()
	t.Services = serviceSpecs()
	t.Router = a.Router
	t.EtcdClient = a.EtcdClient
	t.Fallback, t.FallbackOn = a.Fallback, a.FallbackFromStart()
	return t
}

func (s *childSession) Admin() grpc.ClientConnInterface { return s.child.Admin }
func (s *childSession) Done() <-chan struct{}           { return s.child.Done() }

// Kill ends the platform as a power cut would; its data stays for the audit.
func (s *childSession) Kill() {
	if s.child != nil {
		s.child.Kill()
	}
}

// StoresDir is where the stores of the book lie.
func (s *childSession) StoresDir() string { return filepath.Join(s.dir, "book") }

func (s *childSession) end() error {
	s.Kill()
	if err := os.RemoveAll(s.dir); err != nil {
		return fmt.Errorf("remove the platform's data: %w", err)
	}
	return nil
}
