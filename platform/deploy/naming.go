package deploy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strconv"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	etcdnaming "go.etcd.io/etcd/client/v3/naming/endpoints"
	corev1 "k8s.io/api/core/v1"
)

const (
	// namingPrefix is where etcd's own resolver finds instances:
	// /naming/<service>/<address>.
	namingPrefix = "/naming"
	// namingTTLSeconds is the lease of those keys; the client renews it at a
	// third of that.
	namingTTLSeconds = 15
	// namingUpdatesMax is below the 128 operations that etcd takes in one
	// transaction.
	namingUpdatesMax = 100
	// revokeLimit bounds the farewell: without a quorum nobody hears it, and
	// the lease runs out by itself.
	revokeLimit = 500 * time.Millisecond
)

// NamingKeys returns the keys under which etcd's own resolver should find what
// serves, with their addresses.
func NamingKeys(services []*corev1.Service, pods []*corev1.Pod) map[string]string {
	keys := map[string]string{}
	for _, service := range services {
		if len(service.Spec.Selector) == 0 {
			continue
		}
		for _, pod := range Serving(service, pods) {
			ip, port, _ := addressOf(pod)
			addr := net.JoinHostPort(ip, strconv.Itoa(int(port)))
			keys[namingPrefix+"/"+service.Name+"/"+addr] = addr
		}
	}
	return keys
}

// naming keeps those keys, under a lease of its own.
type naming struct {
	view   *view
	client *clientv3.Client
	log    *slog.Logger

	lease     clientv3.LeaseID
	alive     <-chan *clientv3.LeaseKeepAliveResponse // closed when the lease is lost
	published map[string]string
}

var errLeaseLost = errors.New("the lease of the naming keys is lost")

func (n *naming) run(ctx context.Context) {
	wake := n.view.subscribe("services", "pods")
	for ctx.Err() == nil {
		if err := n.hold(ctx, wake); ctx.Err() == nil {
			n.log.Warn("etcd naming keys", "error", err)
			rest(ctx, retryPause)
		}
	}
	n.revoke(context.WithoutCancel(ctx))
}

// hold takes a lease and keeps the keys under it until either fails.
func (n *naming) hold(ctx context.Context, wake <-chan struct{}) error {
	n.revoke(ctx)
	if err := n.grant(ctx); err != nil {
		return err
	}
	n.published = map[string]string{}
	for {
		if err := n.publish(ctx); err != nil {
			return err
		}
		for changed := false; !changed; {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-wake:
				changed = true
			case _, ok := <-n.alive:
				if !ok {
					return errLeaseLost
				}
			}
		}
	}
}

func (n *naming) grant(ctx context.Context) error {
	granting, cancel := context.WithTimeout(ctx, writeLimit)
	defer cancel()
	lease, err := n.client.Grant(granting, namingTTLSeconds)
	if err != nil {
		return fmt.Errorf("lease for the naming keys: %w", err)
	}
	n.lease = lease.ID
	if n.alive, err = n.client.KeepAlive(ctx, lease.ID); err != nil {
		return fmt.Errorf("renew the lease of the naming keys: %w", err)
	}
	return nil
}

// revoke ends the lease, and with it the keys, as far as etcd can be reached.
func (n *naming) revoke(ctx context.Context) {
	if n.lease == clientv3.NoLease {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, revokeLimit)
	defer cancel()
	if _, err := n.client.Revoke(ctx, n.lease); err != nil {
		n.log.Debug("etcd naming keys are left to expire", "error", err)
	}
	n.lease = clientv3.NoLease
}

// publish writes what has changed since the last time.
func (n *naming) publish(ctx context.Context) error {
	desired := NamingKeys(n.view.services(), n.view.pods())
	var updates []*etcdnaming.UpdateWithOpts
	for _, key := range slices.Sorted(maps.Keys(desired)) {
		if n.published[key] == "" {
			endpoint := etcdnaming.Endpoint{Addr: desired[key]}
			updates = append(updates, etcdnaming.NewAddUpdateOpts(key, endpoint, clientv3.WithLease(n.lease)))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(n.published)) {
		if desired[key] == "" {
			updates = append(updates, etcdnaming.NewDeleteUpdateOpts(key))
		}
	}
	manager, err := etcdnaming.NewManager(n.client, namingPrefix)
	if err != nil {
		return fmt.Errorf("write naming keys: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, writeLimit)
	defer cancel()
	for batch := range slices.Chunk(updates, namingUpdatesMax) {
		if err := manager.Update(ctx, batch); err != nil {
			return fmt.Errorf("write naming keys: %w", err)
		}
	}
	n.published = desired
	return nil
}
