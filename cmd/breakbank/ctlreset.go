package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	adminv1 "breakbank/proto/admin/v1"
)

const (
	// settingsBytesMax bounds a file of settings, which travels in one message.
	settingsBytesMax = 1 << 20
	// resetAskEach is how often it is asked whether the platform is back.
	resetAskEach = 500 * time.Millisecond
)

// ctlReset brings a platform in containers back empty.
type ctlReset struct {
	Settings string `type:"existingfile" placeholder:"FILE" help:"Changes to the topology file, as YAML: keys that are given replace those of the file."`
	Wait     bool   `default:"true" negatable:"" help:"Wait until it is back and ready."`
}

func (r *ctlReset) Run(ctx context.Context, ctl *ctlCommand, t terminal) error {
	var settings []byte
	if r.Settings != "" {
		var err error
		if settings, err = os.ReadFile(r.Settings); err != nil {
			return usageError{fmt.Errorf("--settings: %w", err)}
		}
		if len(settings) > settingsBytesMax {
			return misused("--settings %s has %d bytes; at most %d are taken", r.Settings, len(settings), settingsBytesMax)
		}
	}
	generation := "ctl-" + strconv.FormatInt(time.Now().UnixNano(), 36)
	return ctl.do(ctx, t, func(c controls) error {
		_, err := c.Reset(c.ctx, &adminv1.ResetRequest{Settings: string(settings), Generation: generation})
		if err != nil || !r.Wait {
			return err
		}
		began := time.Now()
		if err := c.awaitGeneration(generation); err != nil {
			return err
		}
		fmt.Fprintf(t.out, "back and ready after %v\n", time.Since(began).Round(100*time.Millisecond))
		return nil
	})
}

// awaitGeneration waits until the platform runs with the settings of a
// generation and lacks nothing. In between there is nobody to ask.
func (c controls) awaitGeneration(generation string) error {
	ask := time.NewTicker(resetAskEach)
	defer ask.Stop()
	missing := "the control API"
	for {
		topology, err := c.GetTopology(c.ctx, &adminv1.GetTopologyRequest{})
		switch {
		case err != nil:
		case topology.GetGeneration() != generation:
			missing = "its new settings"
		case len(topology.GetUnready()) == 0:
			return nil
		default:
			missing = strings.Join(topology.GetUnready(), ", ")
		}
		select {
		case <-ask.C:
		case <-c.ctx.Done():
			if errors.Is(c.ctx.Err(), context.Canceled) {
				return errors.New("interrupted while the platform came back")
			}
			return fmt.Errorf("the platform is not back after %v; still to come: %s", ctlTimeout, missing)
		}
	}
}
