package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"breakbank/bench/arm"
	"breakbank/platform/cluster"
)

// session is a platform in a child process, with the directories it needs.
type session struct {
	child *cluster.Child
	// dir holds the platform's data and is removed at the end.
	dir string
}

// sessionOptions say what platform to start.
type sessionOptions struct {
	arm        *arm.Arm
	members    int
	seed       uint64
	durability string
	// logDir keeps the logs; it outlives the session.
	logDir string
	// adminAddress is where the control API listens; empty for any port.
	adminAddress string
	progress     func(string)
}

// startSession brings a platform up. The caller ends it.
func startSession(ctx context.Context, o sessionOptions) (*session, error) {
	dir, err := os.MkdirTemp("", "breakbank-")
	if err != nil {
		return nil, fmt.Errorf("make a directory for the platform: %w", err)
	}
	s := &session{dir: dir}
	t := cluster.Standard()
	t.Services = serviceSpecs()
	t.RegistryMembers = o.members
	t.Router, t.Seed = o.arm.Router, o.seed
	t.EtcdClient = o.arm.EtcdClient
	t.Fallback = o.arm.Fallback
	t.FallbackOn = o.arm.FallbackFromStart()
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

// kill ends the platform as a power cut would; its data stays for the audit.
func (s *session) kill() {
	if s.child != nil {
		s.child.Kill()
	}
}

// bookDir is where the stores of the book lie.
func (s *session) bookDir() string { return filepath.Join(s.dir, "book") }

// end kills the platform and removes its data. It may be called more than once.
func (s *session) end() error {
	s.kill()
	if err := os.RemoveAll(s.dir); err != nil {
		return fmt.Errorf("remove the platform's data: %w", err)
	}
	return nil
}
