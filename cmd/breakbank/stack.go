package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/goccy/go-yaml"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/status"

	"breakbank/bench/arm"
	"breakbank/platform/cluster"
	adminv1 "breakbank/proto/admin/v1"
)

// Bounds of waiting for a stack of containers.
const (
	// stackReadyLimit is how long a reset stack may take until all is ready: its
	// containers start twice, on a small machine next to each other.
	stackReadyLimit = 3 * time.Minute
	// stackPoll is how often it is looked at.
	stackPoll = 500 * time.Millisecond
	// stackSilence is how long the control API may be silent before the stack
	// counts as ended.
	stackSilence = 20 * time.Second
)

// stackSession is a running stack of containers that a run has for itself: it
// is emptied and set up for the run, and set back when that ends.
type stackSession struct {
	conn  *grpc.ClientConn
	admin adminv1.AdminServiceClient
	// storesDir is where this process sees the book's stores.
	storesDir string

	stop     context.CancelFunc
	watching sync.WaitGroup
	done     chan struct{}
	kill     sync.Once
	ending   sync.Once
	ended    error // how ending went
}

// stackSettings are the changes to a stack's topology for a run: those of a
// platform that is started for it, as far as they can differ.
type stackSettings struct {
	Nodes           []cluster.NodeSpec    `yaml:"nodes"`
	Services        []cluster.ServiceSpec `yaml:"services"`
	RegistryMembers int                   `yaml:"registry_members"`
	Router          string                `yaml:"router"`
	Seed            uint64                `yaml:"seed"`
	EtcdClient      string                `yaml:"etcd_client"`
	Fallback        string                `yaml:"fallback"`
	FallbackOn      bool                  `yaml:"fallback_on"`
	Durability      string                `yaml:"durability"`
	AccessLog       bool                  `yaml:"access_log"`
	Load            cluster.LoadSpec      `yaml:"load"`
}

// settingsFor are the settings of a run with an arm: nothing beside the run's
// own load, and nobody logs each call.
func settingsFor(a *arm.Arm, o sessionOptions) (string, error) {
	t := standardTopology(a)
	text, err := yaml.Marshal(stackSettings{
		Nodes: t.Nodes, Services: t.Services, RegistryMembers: o.members, Router: t.Router, Seed: o.seed,
		EtcdClient: t.EtcdClient, Fallback: t.Fallback, FallbackOn: t.FallbackOn, Durability: o.durability,
	})
	if err != nil {
		return "", fmt.Errorf("settings for the stack: %w", err)
	}
	return string(text), nil
}

// startStackSession takes a running stack over.
func startStackSession(ctx context.Context, o sessionOptions) (*stackSession, error) {
	settings, err := settingsFor(o.arm, o)
	if err != nil {
		return nil, err
	}
	target, err := o.control.target()
	if err != nil {
		return nil, err
	}
	conn, err := dialControl(target)
	if err != nil {
		return nil, err
	}
	s := &stackSession{conn: conn, admin: adminv1.NewAdminServiceClient(conn), storesDir: o.storesDir, done: make(chan struct{})}
	generation := newGeneration("run")
	o.progress("emptying the stack")
	_, err = s.admin.Reset(ctx, &adminv1.ResetRequest{Generation: generation, Settings: settings})
	switch {
	case err == nil:
	case ctx.Err() != nil:
		// The stack goes on emptying itself, for a run that will not be.
		return nil, errors.Join(context.Cause(ctx), s.end())
	default:
		return nil, errors.Join(fmt.Errorf("take the stack over: %w", controlError(err, target, conn.GetState() == connectivity.Ready)), conn.Close())
	}
	if err := s.awaitReady(ctx, generation, o.progress); err != nil {
		return nil, errors.Join(err, s.end())
	}
	watch, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	s.watching.Go(func() { s.watch(watch) })
	return s, nil
}

// newGeneration names settings so that they are told from any others.
func newGeneration(of string) string { return fmt.Sprintf("%s-%d", of, time.Now().UnixNano()) }

// awaitReady waits until the stack runs with the settings and lacks nothing.
func (s *stackSession) awaitReady(ctx context.Context, generation string, progress func(string)) error {
	ctx, cancel := context.WithTimeout(ctx, stackReadyLimit)
	defer cancel()
	poll := time.NewTicker(stackPoll)
	defer poll.Stop()
	last := "no answer from the control API"
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("the stack is not ready: %s", last)
		case <-poll.C:
		}
		t, err := s.topology(ctx)
		switch {
		case err != nil:
			last = said(err)
		case t.GetGeneration() != generation:
			last = "it has not begun anew"
		case len(t.GetUnready()) == 0:
			return nil
		default:
			last = strings.Join(t.GetUnready(), ", ")
		}
		progress("waiting for the stack: " + last)
	}
}

func (s *stackSession) topology(ctx context.Context) (*adminv1.GetTopologyResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, stackCallLimit)
	defer cancel()
	return s.admin.GetTopology(ctx, &adminv1.GetTopologyRequest{})
}

// stackCallLimit bounds one look at the control API.
const stackCallLimit = 5 * time.Second

// watch ends the session when nobody answers any more.
func (s *stackSession) watch(ctx context.Context) {
	poll := time.NewTicker(stackPoll)
	defer poll.Stop()
	heard := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-poll.C:
		}
		if _, err := s.topology(ctx); err == nil {
			heard = time.Now()
		} else if time.Since(heard) > stackSilence {
			close(s.done)
			return
		}
	}
}

func (s *stackSession) Admin() grpc.ClientConnInterface { return s.conn }
func (s *stackSession) Done() <-chan struct{}           { return s.done }
func (s *stackSession) StoresDir() string               { return s.storesDir }

// holdLimit bounds how long the stack may take to be killed and held.
const holdLimit = time.Minute

// Kill ends every process of the stack but the control API's. They come back
// without touching their data.
func (s *stackSession) Kill() {
	s.kill.Do(func() {
		if s.stop != nil {
			s.stop()
			s.watching.Wait()
		}
		ctx, cancel := context.WithTimeout(context.Background(), holdLimit)
		defer cancel()
		// What the audit finds tells whether it worked.
		_, _ = s.admin.Hold(ctx, &adminv1.HoldRequest{})
	})
}

// setBackLimit bounds how long the stack may take to be set back.
const setBackLimit = 90 * time.Second

// setBackError is a stack that was left as a run had it.
type setBackError struct{ error }

// end sets the stack back to what its topology file says. Whoever takes it over
// next must not meet a control process that is about to end.
func (s *stackSession) end() error {
	s.ending.Do(func() {
		s.Kill()
		ctx, cancel := context.WithTimeout(context.Background(), setBackLimit)
		defer cancel()
		err := s.setBack(ctx)
		if err != nil {
			err = setBackError{fmt.Errorf("set the stack back ('breakbank ctl reset' does it): %w", err)}
		}
		s.ended = errors.Join(err, s.conn.Close())
	})
	return s.ended
}

// setBack resets the stack and waits until it says that it has been. A reset that
// still goes on, or the control process that comes back after one, is waited for.
func (s *stackSession) setBack(ctx context.Context) error {
	poll := time.NewTicker(stackPoll)
	defer poll.Stop()
	generation := newGeneration("file")
	asked := false
	for {
		var last error
		if !asked {
			_, last = s.admin.Reset(ctx, &adminv1.ResetRequest{Generation: generation})
			switch status.Code(last) {
			case codes.OK:
				asked = true
			case codes.Unavailable, codes.Aborted:
			default:
				return errors.New(said(last))
			}
		} else {
			t, err := s.topology(ctx)
			if err == nil && t.GetGeneration() == generation {
				return nil
			}
			last = err
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			if last == nil {
				return errors.New("it is not back yet")
			}
			return fmt.Errorf("it is not back yet: %s", said(last))
		}
	}
}

// defaultStores is where the compose file mounts the book's data for the bench.
var defaultStores = filepath.Join("/stack", "book", "book")

// said is an error in the platform's words.
func said(err error) string { return status.Convert(err).Message() }
