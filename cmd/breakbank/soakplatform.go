package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"breakbank/bench/arm"
	"breakbank/platform/access"
	"breakbank/platform/cluster"
	adminv1 "breakbank/proto/admin/v1"
)

// startSoaked brings a platform up for a soak, a process a part. Its logs go
// below out, or nowhere that lasts.
func startSoaked(ctx context.Context, armName, out string, progress func(string)) (*soaked, error) {
	a, err := arm.Load(armName)
	if err != nil {
		return nil, usageError{err}
	}
	logs, endLogs := filepath.Join(out, "logs"), func() error { return nil }
	if out == "" {
		if logs, err = os.MkdirTemp("", "breakbank-logs-"); err != nil {
			return nil, fmt.Errorf("make a directory for logs: %w", err)
		}
		endLogs = func() error { return os.RemoveAll(logs) }
	}
	s, err := startSession(ctx, sessionOptions{
		arm: a, layout: cluster.LayoutProcesses, members: 3, durability: "fsync", logDir: logs,
		progress: func(text string) { progress("starting: " + text) },
	})
	if err != nil {
		return nil, errors.Join(err, endLogs())
	}
	return &soaked{
		admin: adminv1.NewAdminServiceClient(s.Admin()), target: access.Target{},
		end: func() error { return errors.Join(s.end(), endLogs()) },
	}, nil
}
