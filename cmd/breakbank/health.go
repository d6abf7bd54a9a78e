package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	// healthPatience bounds one question.
	healthPatience = 2 * time.Second
	// healthPause is what lies between two, healthWaitMax how long it may go on.
	healthPause   = 500 * time.Millisecond
	healthWaitMax = 10 * time.Minute
	// healthBytesMax is how much of an answer is repeated when it is bad.
	healthBytesMax = 200
)

// healthCommand asks a process whether it is well: the health check of an image
// that holds nothing but this program.
type healthCommand struct {
	URL  string        `arg:"" name:"url" help:"What must answer 200, such as http://127.0.0.1:7017/readyz."`
	Wait time.Duration `help:"How long it may take until it does; 0 asks once."`
}

func (c *healthCommand) Run(ctx context.Context) error {
	u, err := url.Parse(c.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return misused("%q is no address of a health check; say http://host:port/path", c.URL)
	}
	if c.Wait < 0 || c.Wait > healthWaitMax {
		return misused("--wait %v: say 0 to %v", c.Wait, healthWaitMax)
	}
	until := time.Now().Add(c.Wait)
	again := time.NewTicker(healthPause)
	defer again.Stop()
	for {
		err := c.ask(ctx, u)
		if err == nil || time.Now().After(until) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-again.C:
		}
	}
}

// ask asks once.
func (c *healthCommand) ask(ctx context.Context, u *url.URL) error {
	ctx, cancel := context.WithTimeout(ctx, healthPatience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return usageError{err}
	}
	// Neither proxies nor redirects: the process itself must say it.
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	answer, err := client.Do(request)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s did not answer within %v", c.URL, healthPatience)
	case err != nil:
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode == http.StatusOK {
		return nil
	}
	// What it says is worth having, and no more than a line of it.
	said, _ := io.ReadAll(io.LimitReader(answer.Body, healthBytesMax))
	return fmt.Errorf("%s answers %s: %s", c.URL, answer.Status, strings.Join(strings.Fields(string(said)), " "))
}
