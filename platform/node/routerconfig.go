package node

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"breakbank/platform/apiserver/client"
	"breakbank/platform/router"
)

// Policies that act before there is a router: the agent reads them from the
// router's configuration.
const (
	policyConfigSnapshot  = "config-snapshot"
	policyMakeBeforeBreak = "make-before-break"
)

const (
	// configPause is between two attempts to read the configuration.
	configPause = 500 * time.Millisecond
	// snapshotAfter is how long the API servers get to answer when there is a
	// snapshot to go by.
	snapshotAfter = 300 * time.Millisecond
	// snapshotFile is the last good configuration, below the agent's
	// directory for it.
	snapshotFile = "router-config.yaml"
)

// routerConfig is where a router's configuration comes from: a Get of the
// ConfigMap at an API server. Only a configuration with the policy
// config-snapshot is kept on disk, for the next start.
type routerConfig struct {
	servers apiServers
	dir     string
	log     *slog.Logger
	// failed is told why the configuration cannot be read, each time.
	failed func(error)
}

// read returns the configurations to start a router with, in the order in
// which to try them: what the API servers have, if they say so in time, and
// the last good one, if there is one. Without that it takes however long it
// takes: read fails only when ctx ends.
func (c *routerConfig) read(ctx context.Context) ([][]byte, error) {
	if saved, ok := c.load(); ok {
		fresh, err := c.quick(ctx)
		switch {
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case err != nil:
			c.log.Warn("the router starts from its last good configuration", "error", err)
			return [][]byte{saved}, nil
		case bytes.Equal(fresh, saved):
			return [][]byte{fresh}, nil
		}
		return [][]byte{fresh, saved}, nil
	}
	for attempt := 0; ; attempt++ {
		var config []byte
		err := limited(ctx, c.servers[attempt%len(c.servers)], func(ctx context.Context, server *client.Client) error {
			var err error
			config, err = c.get(ctx, server)
			return err
		})
		if err == nil {
			return [][]byte{config}, nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		c.log.Warn("the router cannot start without its configuration", "error", err, "attempt", attempt+1)
		c.failed(err)
		if !rest(ctx, configPause) {
			return nil, context.Cause(ctx)
		}
	}
}

// quick asks all API servers at once, since a dark one would use up the time
// for the others, and returns the first configuration within snapshotAfter.
func (c *routerConfig) quick(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, snapshotAfter)
	defer cancel()
	type answer struct {
		config []byte
		err    error
	}
	answers := make(chan answer, len(c.servers))
	for _, server := range c.servers {
		go func() {
			config, err := c.get(ctx, server)
			answers <- answer{config, err}
		}()
	}
	var first []byte
	var errs []error
	for range c.servers {
		got := <-answers
		switch {
		case got.err != nil:
			errs = append(errs, got.err)
		case first == nil:
			first = got.config
			cancel() // The others' answers are waited for, not needed.
		}
	}
	if first == nil {
		return nil, errors.Join(errs...)
	}
	return first, nil
}

// get reads the configuration at one API server. A blank one is an error: it
// would be a router without any of its policies.
func (c *routerConfig) get(ctx context.Context, server *client.Client) ([]byte, error) {
	raw, err := server.Get(ctx, "configmaps", RouterConfigMap)
	if err != nil {
		return nil, fmt.Errorf("read ConfigMap %s: %w", RouterConfigMap, err)
	}
	var object corev1.ConfigMap
	if err := json.Unmarshal(raw, &object); err != nil {
		return nil, fmt.Errorf("read ConfigMap %s: %w", RouterConfigMap, err)
	}
	config, ok := object.Data[RouterConfigKey]
	switch {
	case !ok:
		return nil, fmt.Errorf("ConfigMap %s has no %s", RouterConfigMap, RouterConfigKey)
	case strings.TrimSpace(config) == "":
		return nil, fmt.Errorf("ConfigMap %s has a blank %s", RouterConfigMap, RouterConfigKey)
	}
	return []byte(config), nil
}

func (c *routerConfig) path() string { return filepath.Join(c.dir, snapshotFile) }

// load returns the configuration on disk, if its own policies allow its use.
func (c *routerConfig) load() ([]byte, bool) {
	saved, err := os.ReadFile(c.path())
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			c.log.Warn("the router's last good configuration cannot be read", "error", err)
		}
		return nil, false
	}
	return saved, hasPolicy(saved, policyConfigSnapshot)
}

// keep saves a configuration that a router has been made with, if it asks for
// that, and forgets the one saved before if it does not. That it cannot be
// saved does not keep the router down.
func (c *routerConfig) keep(config []byte) {
	parsed, err := router.ParseConfig(config)
	switch {
	case err != nil: // It does not say what it asks for.
	case parsed.Has(policyConfigSnapshot):
		err = replaceFile(c.path(), config)
	default:
		if err = os.Remove(c.path()); errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	}
	if err != nil {
		c.log.Warn("keeping the router's configuration", "error", err)
	}
}

// hasPolicy is false for a configuration that cannot be read: the router will
// say what is wrong with it.
func hasPolicy(config []byte, policy string) bool {
	parsed, err := router.ParseConfig(config)
	return err == nil && parsed.Has(policy)
}

// replaceFile writes a file so that it is either the old or the new one,
// whenever it is read.
func replaceFile(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	next, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(next.Name()) }() // Fails once it is renamed, as it should.
	if _, err = next.Write(content); err == nil {
		err = next.Sync()
	}
	if err = errors.Join(err, next.Close()); err != nil {
		return err
	}
	return os.Rename(next.Name(), path)
}
