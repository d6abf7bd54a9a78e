package node

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"breakbank/platform/deploy"
	"breakbank/platform/registry"
)

const (
	// renewEvery lets two renewals fail before the lease is in danger.
	renewEvery = 3 * time.Second
	// renewLimit bounds one renewal, so that one that hangs is over before the
	// next is due.
	renewLimit = 2500 * time.Millisecond
)

// heartbeat keeps the node's lease, through the node's own etcd client.
type heartbeat struct {
	node  string
	store *registry.Store
	log   *slog.Logger
	// returned is told when a lease that had expired is renewed.
	returned func()

	renewed atomic.Int64 // when the lease was last renewed, in Unix nanoseconds
}

func (h *heartbeat) run(ctx context.Context) {
	again := time.NewTicker(renewEvery)
	defer again.Stop()
	for {
		expired := !h.valid(time.Now())
		if err := h.renew(ctx); err != nil && ctx.Err() == nil {
			h.log.Warn("renewing the node's lease", "error", err)
		} else if err == nil && expired {
			h.returned()
		}
		select {
		case <-ctx.Done():
			return
		case <-again.C:
		}
	}
}

// valid says whether the lease holds.
func (h *heartbeat) valid(now time.Time) bool {
	return now.Sub(time.Unix(0, h.renewed.Load())) < deploy.LeaseDuration
}

func (h *heartbeat) renew(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, renewLimit)
	defer cancel()
	now, seconds := time.Now(), int32(deploy.LeaseDuration/time.Second)
	lease := &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Name: h.node, Namespace: registry.Namespace},
		Spec: coordinationv1.LeaseSpec{
			HolderIdentity:       &h.node,
			LeaseDurationSeconds: &seconds,
			RenewTime:            &metav1.MicroTime{Time: now},
		},
	}
	err := h.store.Update(ctx, "leases", lease)
	if errors.Is(err, registry.ErrNotFound) {
		err = h.store.Create(ctx, "leases", lease)
	}
	if err != nil {
		return err
	}
	h.renewed.Store(now.UnixNano())
	return nil
}
