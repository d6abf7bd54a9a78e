// Package deploy holds the controllers: what turns Deployments into pods, pods
// into Endpoints, and silent nodes into instances that are not ready.
//
// Each controller is a pure function from the objects in the registry to the
// writes that are due, and a thin loop that runs it whenever those objects
// change. The controllers have an etcd client of their own: in the outage that
// this platform reproduces it was the API servers' connections that went dark,
// not theirs.
//
//	Deployment ──rollout──> Pod ──node agent──> address, Ready
//	                         │
//	                         └──records──> Endpoints, EndpointSlice, /naming
//
// How a pod ends is settled between rollout and the node agent: the rollout
// sets metadata.deletionTimestamp; the pod leaves its Endpoints with that; the
// agent drains the instance and then deletes the pod's object.
package deploy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	clientv3 "go.etcd.io/etcd/client/v3"

	"breakbank/platform/registry"
)

// LabelApp is the label by which a Service selects its pods; its value is the
// name of the service.
const LabelApp = "app"

// Annotations by which the parts of the platform agree.
const (
	// AnnotationVersion, on a Deployment's template and on pods, is the version
	// of the service. Changing it rolls the service over.
	AnnotationVersion = "breakbank/version"
	// AnnotationNodes, on a Deployment's template, lists the nodes to place
	// instances on, with commas: replica i goes to node i modulo their number.
	AnnotationNodes = "breakbank/nodes"
	// AnnotationPreviousVersion, on a Deployment, is the version before the
	// current one; the controller keeps it. Rolling back is setting the
	// template's version to it.
	AnnotationPreviousVersion = "breakbank/previous-version"
	// AnnotationObserved, on a Deployment, is what was asked for when its
	// status was written; see Complete.
	AnnotationObserved = "breakbank/observed"
	// AnnotationReplica, on a pod, is the number of the replica that it is.
	AnnotationReplica = "breakbank/replica"
	// AnnotationRestarts, on a pod, is how many instances in a row have failed
	// in its place shortly after their start. The node agent backs off by it.
	AnnotationRestarts = "breakbank/restarts"
)

// Config says what the controllers work with.
type Config struct {
	// Client is the controllers' own etcd client; it stays the caller's.
	Client *clientv3.Client
	// Store reads and writes objects through Client.
	Store *registry.Store
	Log   *slog.Logger
}

// Controllers are the running controllers.
type Controllers struct {
	cancel context.CancelFunc
	work   sync.WaitGroup
	view   *view
	writes writeCounts
}

// Start reads the registry and starts the controllers, which run until Close.
// ctx bounds the start only.
func Start(ctx context.Context, cfg Config) (*Controllers, error) {
	if cfg.Client == nil || cfg.Store == nil {
		return nil, errors.New("start controllers: they need an etcd client and a store")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	c := &Controllers{cancel: cancel}
	v := newView()
	c.view = v
	for _, resource := range viewed {
		m := &mirror{resource: resource, store: cfg.Store, view: v, log: cfg.Log, listed: make(chan struct{})}
		c.work.Go(func() { m.run(life) })
		// A controller that acted before it has seen everything would take
		// what it has not seen for gone.
		select {
		case <-m.listed:
		case <-ctx.Done():
			c.Close()
			return nil, fmt.Errorf("start controllers: read %s: %w", resource, context.Cause(ctx))
		}
	}
	w := writer{store: cfg.Store, log: cfg.Log, writes: &c.writes}
	publishers, err := newPublishers(ctx, v, w)
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("start controllers: %w", err)
	}
	lifecycle := newLifecycle(v, w)
	rollouts := &rollouts{view: v, writer: w, numbers: map[string]int{}}
	statuses := &statuses{view: v, writer: w}
	naming := &naming{view: v, client: cfg.Client, log: cfg.Log}

	c.work.Go(func() { rollouts.run(life) })
	c.work.Go(func() { statuses.run(life) })
	c.work.Go(func() { lifecycle.run(life) })
	c.work.Go(func() { naming.run(life) })
	for _, p := range publishers {
		c.work.Go(func() { p.run(life) })
	}
	return c, nil
}

// Wanted are the replicas that each Deployment asks for, as the controllers have
// last seen it.
func (c *Controllers) Wanted() map[string]int {
	wanted := map[string]int{}
	for _, d := range c.view.deployments() {
		wanted[d.Name] = replicasOf(d)
	}
	return wanted
}

// Close stops the controllers and waits for them. What they have written
// stays, but for the leased keys below /naming, which are revoked.
func (c *Controllers) Close() {
	c.cancel()
	c.work.Wait()
}
