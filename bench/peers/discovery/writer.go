package discovery

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"breakbank/platform/registry"
)

// resource is what routers and informers follow.
const resource = "endpoints"

// writersMax bounds the writes under way: etcd takes a few milliseconds for
// one, so that a thousand a second need several at a time.
const writersMax = 32

// writer writes services into etcd past all API servers.
type writer struct {
	store     *registry.Store
	endpoints int
	services  int
	// rounds counts how often a service has been written: each time one of
	// its instances moves.
	rounds []int
}

func newWriter(store *registry.Store) *writer { return &writer{store: store} }

// fill writes the table that changes start from.
func (w *writer) fill(ctx context.Context, f fill) error {
	w.services, w.endpoints = f.Services, f.Endpoints
	w.rounds = make([]int, f.Services)
	services := make([]int, f.Services)
	for i := range services {
		services[i] = i
	}
	_, err := w.write(ctx, services, func(int) time.Time { return time.Now() })
	return err
}

// change writes at a steady pace, each service once before any is written
// again. A write that is late is not made up for: the schedule is open.
func (w *writer) change(ctx context.Context, c change) ([]commit, error) {
	if w.services == 0 {
		return nil, errors.New("there is no table to change yet")
	}
	order := rand.New(rand.NewPCG(c.Seed, 1)).Perm(w.services)
	services := make([]int, int(c.PerS*c.Duration.Seconds()))
	for i := range services {
		services[i] = order[i%len(order)]
	}
	began := time.Now()
	return w.write(ctx, services, func(i int) time.Time {
		return began.Add(time.Duration(float64(i) / c.PerS * float64(time.Second)))
	})
}

// write writes services, each when it is due.
func (w *writer) write(ctx context.Context, services []int, due func(i int) time.Time) ([]commit, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	commits := make([]commit, len(services))
	slots := make(chan struct{}, writersMax)
	var writing sync.WaitGroup
	defer writing.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for i, service := range services {
		at := due(i)
		timer.Reset(time.Until(at))
		select {
		case <-timer.C:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		stored, err := w.record(service)
		if err != nil {
			return nil, err
		}
		writing.Go(func() {
			defer func() { <-slots }()
			c := commit{Service: serviceName(service), Due: at.UnixNano(), Written: time.Now().UnixNano()}
			revision, err := w.store.PutRaw(ctx, resource, c.Service, stored)
			if err != nil {
				cancel(fmt.Errorf("change %s: %w", c.Service, err))
			}
			c.Revision, c.Committed = revision, time.Now().UnixNano()
			commits[i] = c
		})
	}
	writing.Wait()
	return commits, context.Cause(ctx)
}

func serviceName(i int) string { return fmt.Sprintf("service-%04d", i) }

// record is what a service looks like the next time it is written: one of its
// instances has moved.
func (w *writer) record(service int) ([]byte, error) {
	w.rounds[service]++
	name := serviceName(service)
	addresses := make([]corev1.EndpointAddress, w.endpoints) //nolint:staticcheck // see registry.Endpoints
	for i := range addresses {
		round := (w.rounds[service] + w.endpoints - 1 - i) / w.endpoints
		node := fmt.Sprintf("node-%03d", (service+i)%200)
		addresses[i] = corev1.EndpointAddress{ //nolint:staticcheck // as above
			IP:       fmt.Sprintf("10.%d.%d.%d", round%256, service%256, i),
			NodeName: &node,
			TargetRef: &corev1.ObjectReference{
				Kind: "Pod", Namespace: registry.Namespace, Name: fmt.Sprintf("%s-6d4cf56db6-%d-%d", name, i, round),
				UID: "3f1c9d5e-8a1b-4c5d-9e2f-0a1b2c3d4e5f",
			},
		}
	}
	return registry.Encode(&registry.Endpoints{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: registry.Namespace, Labels: map[string]string{"app": name}},
		Subsets: []corev1.EndpointSubset{{ //nolint:staticcheck // as above
			Addresses: addresses,
			Ports:     []corev1.EndpointPort{{Name: "grpc", Port: 8080, Protocol: corev1.ProtocolTCP}}, //nolint:staticcheck // as above
		}},
	})
}
