package node

import (
	"log/slog"
	"slices"
	"sync"
	"testing"

	appsv1 "k8s.io/api/apps/v1"

	"breakbank/platform/rpc"
)

// others is what agents tell of their instances, and what they make for them.
type others struct {
	mu      sync.Mutex
	serving map[string]string // address by instance
	callers map[string]*fakeCaller
}

func newOthers() *others {
	return &others{serving: map[string]string{}, callers: map[string]*fakeCaller{}}
}

func (o *others) onServing(i InstanceStatus, serves bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if serves {
		o.serving[i.Name] = i.Address
	} else {
		delete(o.serving, i.Name)
	}
}

func (o *others) newCaller(service, instance string, _ *slog.Logger) Caller {
	o.mu.Lock()
	defer o.mu.Unlock()
	c := &fakeCaller{of: service, others: o}
	o.callers[instance] = c
	return c
}

// addresses are those that serve, in order.
func (o *others) addresses() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var all []string
	for _, address := range o.serving {
		all = append(all, address)
	}
	slices.Sort(all)
	return all
}

// open counts the callers of a service that have not been closed.
func (o *others) open(service string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := 0
	for _, c := range o.callers {
		if c.of == service && !c.closed {
			n++
		}
	}
	return n
}

// made counts the callers that there have been.
func (o *others) made() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.callers)
}

type fakeCaller struct {
	of     string
	others *others
	closed bool
}

func (c *fakeCaller) Channel(string) rpc.Channel { return rpc.Channel{} }

func (c *fakeCaller) Close() {
	c.others.mu.Lock()
	defer c.others.mu.Unlock()
	c.closed = true
}

// TestInstancesAreToldOfAndHaveTheirDataPlane: who wants to know the truth is
// told it, and a data plane inside an instance lives as long as that does.
func TestInstancesAreToldOfAndHaveTheirDataPlane(t *testing.T) {
	t.Parallel()
	m := newMachineRoom(t, 1, "a2", "b2")
	m.deploy("ledger", "v1", "a2", "b2")
	await(t, "two endpoints", func() bool { return len(m.endpoints("ledger")) == 2 })
	if told, registered := m.others.addresses(), m.endpoints("ledger"); !slices.Equal(told, registered) {
		t.Errorf("told of %v, the registry has %v", told, registered)
	}
	if n := m.others.open("ledger"); n != 2 {
		t.Errorf("%d data planes in two instances", n)
	}
	if err := m.agents["a2"].KillInstance(m.agents["a2"].Instances()[0].Name); err != nil {
		t.Fatal(err)
	}
	await(t, "another in its place", func() bool { return m.others.open("ledger") == 2 && m.others.made() == 3 })
	m.change("ledger", func(d *appsv1.Deployment) { d.Spec.Replicas = new(int32) })
	m.awaitComplete("ledger")
	await(t, "nothing left", func() bool { return m.others.open("ledger") == 0 && len(m.others.addresses()) == 0 })
}
