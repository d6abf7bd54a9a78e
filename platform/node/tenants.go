package node

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
)

// tenants are the pods assigned to the node. What the registry says of them
// arrives here; each is run by a goroutine of its own.
type tenants struct {
	agent *Agent
	life  context.Context
	work  sync.WaitGroup

	mu     sync.Mutex
	byName map[string]*tenant
}

// sync takes in all pods of the node. Those that are not among them are gone.
func (t *tenants) sync(pods []*corev1.Pod) {
	t.mu.Lock()
	var missing []string
	for name := range t.byName {
		if !slices.ContainsFunc(pods, func(p *corev1.Pod) bool { return p.Name == name }) {
			missing = append(missing, name)
		}
	}
	t.mu.Unlock()
	for _, name := range missing {
		t.gone(name)
	}
	for _, pod := range pods {
		t.changed(pod)
	}
}

// changed takes in a pod as it is now.
func (t *tenants) changed(pod *corev1.Pod) {
	t.mu.Lock()
	defer t.mu.Unlock()
	one, known := t.byName[pod.Name]
	if !known {
		one = newTenant(t.life, t.agent, pod)
		t.byName[pod.Name] = one
		t.work.Go(func() { one.run(t.life) })
		return
	}
	one.observe(pod)
}

// gone takes in that a pod has been deleted. An instance that is still there
// drains; its pod has nothing more to say.
func (t *tenants) gone(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if one, known := t.byName[name]; known {
		one.gone()
		delete(t.byName, name)
	}
}

// recheck makes every tenant compare itself with what the registry says.
func (t *tenants) recheck() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, one := range t.byName {
		one.poke()
	}
}

func (t *tenants) list() []InstanceStatus {
	t.mu.Lock()
	defer t.mu.Unlock()
	var running []InstanceStatus
	for _, one := range t.byName {
		if s, runs := one.status(); runs {
			running = append(running, s)
		}
	}
	slices.SortFunc(running, func(a, b InstanceStatus) int { return strings.Compare(a.Name, b.Name) })
	return running
}

func (t *tenants) kill(name string) error {
	t.mu.Lock()
	one, known := t.byName[name]
	t.mu.Unlock()
	if !known || !one.kill() {
		return fmt.Errorf("no instance %q runs here", name)
	}
	return nil
}

// signal does something to an instance's process.
func (t *tenants) signal(name string, what Signal) error {
	t.mu.Lock()
	one, known := t.byName[name]
	t.mu.Unlock()
	if !known {
		return fmt.Errorf("no instance %q runs here", name)
	}
	return one.signal(what)
}

// processes are the instances that have one of their own.
func (t *tenants) processes() []*tenantProcess {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []*tenantProcess
	for _, one := range t.byName {
		one.mu.Lock()
		if one.running != nil && one.running.process != nil {
			all = append(all, &tenantProcess{one.service, one.name, one.running.process})
		}
		one.mu.Unlock()
	}
	return all
}

// tenantProcess is an instance's process and whose it is.
type tenantProcess struct {
	service, instance string
	process           *spawned
}

// wait waits until all are gone, after the end of their lives.
func (t *tenants) wait() { t.work.Wait() }
