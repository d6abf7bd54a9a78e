package discovery

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"breakbank/loadgen"
	"breakbank/loadgen/pacer"
	"breakbank/loadgen/transport"
	"breakbank/platform/registry"
)

// resource is what routers and informers follow.
const resource = "endpoints"

const (
	// writePatience bounds a write, from when it was due: a registry that takes
	// longer has nothing to be measured.
	writePatience = time.Minute
	// atOncePerS is the rate of writes that nobody paces: far above what etcd
	// takes, so that all are due before the first is done.
	atOncePerS = 1_000_000
	// startLead is how long before the first write may be due.
	startLead = time.Millisecond
)

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
	lasts := time.Duration(f.Services) * time.Second / atOncePerS
	_, err := w.write(ctx, 1, atOncePerS, lasts, func(i int) int { return i })
	return err
}

// change writes at a steady pace, each service once before any is written
// again. A write that is late is not made up for: the schedule is open.
func (w *writer) change(ctx context.Context, c change) ([]commit, error) {
	if w.services == 0 {
		return nil, errors.New("there is no table to change yet")
	}
	order := rand.New(rand.NewPCG(c.Seed, 1)).Perm(w.services)
	return w.write(ctx, c.Seed, c.PerS, c.Duration, func(i int) int { return order[i%len(order)] })
}

// write has the load generator write services, evenly so many a second: of says
// which is the i-th.
func (w *writer) write(ctx context.Context, seed uint64, perS float64, lasts time.Duration, of func(i int) int) ([]commit, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	schedule, err := loadgen.Draw(loadgen.Plan{
		Seed: seed, Pacer: pacer.Constant{PerS: perS},
		// Half a gap more, so that it has rate × duration arrivals.
		Duration: lasts + time.Duration(float64(time.Second)/perS/2),
		Journeys: []loadgen.JourneySpec{{Name: "change", Weight: 1, Patience: writePatience, Write: true, Steps: []loadgen.Step{{
			// One after another, by the goroutine that keeps the pace.
			Build: func(v *loadgen.Visit, c *transport.Call) (err error) {
				c.Shard = v.Seq
				c.Request, err = w.record(of(v.Seq))
				return err
			},
			Judge: func(*loadgen.Visit, *transport.Call) loadgen.Decision { return loadgen.Decision{Outcome: loadgen.OK} },
		}}}},
	})
	if err != nil {
		return nil, err
	}
	commits := make([]commit, len(schedule.Arrivals))
	start := time.Now().Add(startLead)
	for i := range commits {
		commits[i] = commit{Service: serviceName(of(i)), Due: start.Add(schedule.Arrivals[i].At).UnixNano()}
	}
	t := newEtcdWrites(ctx, w.store, commits)
	defer t.Close()
	failed := loadgen.SinkFunc(func(r *loadgen.Record) {
		if r.Outcome != loadgen.OK {
			cancel(errors.New(r.Err))
		}
	})
	runner := loadgen.Runner{Transport: t, MaxInFlight: max(1, len(commits))}
	if _, err := runner.Run(ctx, schedule, start, failed); err != nil {
		return nil, err
	}
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
