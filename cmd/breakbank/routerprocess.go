package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"breakbank/platform/router"
	"breakbank/platform/router/admin"
	"breakbank/platform/router/discovery"
	"breakbank/platform/router/handover"
)

const (
	// seedPollEvery is how often a seed file is looked at: often enough for a
	// person who has changed it.
	seedPollEvery = time.Second
	// successorLimit is how long a successor may take until it has a table.
	successorLimit = 10 * time.Second
	// adminReadLimit bounds the reading of a request's headers, adminCloseLimit
	// the end of those under way.
	adminReadLimit  = 5 * time.Second
	adminCloseLimit = time.Second
)

// routerProcess is a router with what a process adds to it: signals, the seed
// file, the admin page, and a successor.
//
//	SIGTERM, SIGINT  drain, then end; a second one ends it at once
//	SIGHUP           read the seed file again
//	SIGUSR2          start a successor on the same sockets; once it has a table, drain and end
type routerProcess struct {
	command  *routerCommand
	terminal terminal
	log      *slog.Logger
	options  router.Options
	shown    string // its configuration
	feed     string // where an arm says that the table comes from
	seed     *discovery.SeedFile
	sockets  *handover.Sockets

	router *router.Router
	admin  *admin.Admin
	server *http.Server // of the admin page; nil: none
	work   sync.WaitGroup
}

// succession is how an attempt to start a successor ended.
type succession struct {
	pid int
	err error
}

// run serves until a signal or a successor ends it.
func (p *routerProcess) run(ctx context.Context) error {
	hup, usr2 := notify(syscall.SIGHUP), notify(syscall.SIGUSR2)
	defer signal.Stop(hup)
	defer signal.Stop(usr2)
	broken := make(chan error, 1)
	if err := p.start(broken); err != nil {
		return err
	}
	defer p.work.Wait()

	poll := time.NewTicker(seedPollEvery)
	defer poll.Stop()
	starting, cancel := context.WithCancel(ctx)
	defer cancel()
	succeeded := make(chan succession, 1)
	succeeding := false
	ready := p.router.Ready()
	for {
		select {
		case <-ctx.Done():
			p.log.Info("stopping", "drain_limit", p.command.DrainLimit)
			p.stop(false)
			return nil
		case err := <-broken:
			p.stop(false)
			return err
		case <-ready:
			ready = nil
			fmt.Fprintf(p.terminal.out, "ready     process %d\n", os.Getpid())
			if err := p.sockets.Ready(); err != nil {
				p.log.Warn(err.Error())
			}
		case <-hup:
			p.reread()
		case <-poll.C:
			p.poll()
		case <-usr2:
			switch {
			case succeeding:
				p.log.Warn("a successor is being started already")
			case ready != nil:
				p.log.Warn("no successor is started before this router has a table itself")
			default:
				succeeding = true
				p.work.Go(func() { succeeded <- p.succeed(starting) })
			}
		case s := <-succeeded:
			succeeding = false
			if s.err != nil {
				p.log.Error("this router stays", "error", s.err)
				continue
			}
			if err := handover.Follow(s.pid); err != nil {
				p.log.Warn(err.Error())
			}
			p.log.Info("a successor serves; draining", "successor", s.pid, "drain_limit", p.command.DrainLimit)
			p.stop(true)
			return nil
		}
	}
}

func notify(s os.Signal) chan os.Signal {
	c := make(chan os.Signal, 1)
	signal.Notify(c, s)
	return c
}

// start listens, and starts the router and the admin page.
func (p *routerProcess) start(broken chan<- error) error {
	requests, err := p.sockets.Listen("requests", p.command.Listen)
	if err != nil {
		return err
	}
	var pages *handover.Gate
	if p.command.Admin != "" {
		if pages, err = p.sockets.Listen("admin", p.command.Admin); err != nil {
			return errors.Join(err, requests.Close())
		}
	}
	p.options.Listener = requests
	if p.router, err = router.New(p.options); err != nil {
		return usageError{err}
	}
	p.admin = admin.New(p.router, admin.Facts{
		Build: thisBuild().String(), PID: os.Getpid(), Node: p.options.Node, Zone: p.options.Zone,
		Listen: requests.Addr().String(), Config: p.shown, StartedAt: time.Now(),
	})
	fmt.Fprintf(p.terminal.out, "requests  %s\n", requests.Addr())
	if pages != nil {
		fmt.Fprintf(p.terminal.out, "admin     http://%s/\n", pages.Addr())
		p.server = &http.Server{
			Handler: p.admin, ReadHeaderTimeout: adminReadLimit,
			ErrorLog: slog.NewLogLogger(p.log.Handler(), slog.LevelWarn),
		}
		p.work.Go(func() {
			if err := p.server.Serve(pages); !errors.Is(err, http.ErrServerClosed) {
				broken <- fmt.Errorf("serve the admin page: %w", err)
			}
		})
	}
	p.router.Start()
	return nil
}

// reread reads the seed file on request.
func (p *routerProcess) reread() {
	if p.seed == nil {
		p.log.Info("there is no seed file to read again")
		return
	}
	p.tell(p.seed.Reread())
}

func (p *routerProcess) poll() {
	if p.seed == nil {
		return
	}
	if reread, err := p.seed.Poll(); reread {
		p.tell(err)
	}
}

// tell says what became of the seed file.
func (p *routerProcess) tell(err error) {
	if err != nil {
		p.log.Error("the new seed is refused, the old table stays", "error", oneLine(err))
		return
	}
	p.log.Info("seed read", "file", p.command.Seed)
}

func (p *routerProcess) succeed(ctx context.Context) succession {
	ctx, cancel := context.WithTimeout(ctx, successorLimit)
	defer cancel()
	pid, err := p.sockets.Succeed(ctx)
	return succession{pid, err}
}

// stop drains and ends everything. With a successor it accepts nothing more at
// once, and the pages are the successor's.
func (p *routerProcess) stop(succeeded bool) {
	ctx, cancel := context.WithTimeout(context.Background(), p.command.DrainLimit)
	defer cancel()
	ctx, end := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer end()
	p.admin.Drain()
	if succeeded {
		p.closeAdmin()
		p.sockets.Shut(ctx)
	}
	if err := p.router.Drain(ctx); err != nil {
		p.log.Warn("requests under way were cut off", "error", err)
	}
	if !succeeded {
		p.closeAdmin()
	}
}

func (p *routerProcess) closeAdmin() {
	if p.server == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), adminCloseLimit)
	defer cancel()
	if p.server.Shutdown(ctx) != nil {
		_ = p.server.Close() // a profile under way is cut off
	}
}
