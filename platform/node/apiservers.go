package node

import (
	"context"
	"errors"
	"net/http"
	"time"

	"breakbank/platform/apiserver/client"
)

// Bounds of calls to API servers.
const (
	// callLimit bounds one call to one API server before the next is asked.
	callLimit = 2 * time.Second
	// A call that no API server answered is made again after a pause that
	// doubles from the first to the second.
	callPauseMin = 50 * time.Millisecond
	callPauseMax = time.Second
)

// apiServers are the clients of the API servers, own zone first.
type apiServers []*client.Client

func newAPIServers(bases []string) apiServers {
	servers := make(apiServers, len(bases))
	for i, base := range bases {
		servers[i] = client.New(base)
	}
	return servers
}

func (s apiServers) close() {
	for _, c := range s {
		c.Close()
	}
}

// write makes a call to one API server after the other until it has been made
// or ctx ends. An object that is not there is no error: what was to be written
// of it does not matter any more.
func (s apiServers) write(ctx context.Context, call func(context.Context, *client.Client) error) error {
	pause := callPauseMin
	for {
		var err error
		for _, c := range s {
			err = limited(ctx, c, call)
			var answer *client.StatusError
			if err == nil || errors.As(err, &answer) && answer.Code == http.StatusNotFound {
				return nil
			}
			if ctx.Err() != nil {
				return errors.Join(context.Cause(ctx), err)
			}
		}
		if !rest(ctx, pause) {
			return errors.Join(context.Cause(ctx), err)
		}
		pause = min(2*pause, callPauseMax)
	}
}

func limited(ctx context.Context, c *client.Client, call func(context.Context, *client.Client) error) error {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	return call(ctx, c)
}

// rest waits for d; false means that ctx ended first.
func rest(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
