package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"breakbank/platform/apiserver/client"
	"breakbank/platform/deploy"
)

// An instance in whose place others have failed waits before it starts: the
// first time restartPauseMin, then twice as long each time.
const (
	restartPauseMin = 100 * time.Millisecond
	restartPauseMax = 10 * time.Second
)

// tenant is one pod and its instance.
//
//	starting ──> serving ──> draining ──> object deleted
//	    └───────────┴──> failed, until the pod is deleted
type tenant struct {
	agent   *Agent
	service string
	version string
	name    string
	log     *slog.Logger

	// stay ends when the pod is to end, or the agent's life does.
	stay  context.Context
	leave context.CancelFunc
	look  chan struct{} // holds a token when the registry is to be looked at

	mu      sync.Mutex
	pod     *corev1.Pod // as the registry has it
	deleted bool        // the pod's object is gone
	running *running    // nil before the start and after the end
	ready   bool
}

func newTenant(life context.Context, a *Agent, pod *corev1.Pod) *tenant {
	t := &tenant{
		agent: a, service: pod.Labels[deploy.LabelApp], version: pod.Annotations[deploy.AnnotationVersion],
		name: pod.Name, log: a.cfg.Log.With("instance", pod.Name), look: make(chan struct{}, 1),
	}
	t.stay, t.leave = context.WithCancel(life)
	t.observe(pod)
	return t
}

// observe takes in the pod as the registry has it.
func (t *tenant) observe(pod *corev1.Pod) {
	t.mu.Lock()
	t.pod = pod
	t.mu.Unlock()
	if pod.DeletionTimestamp != nil {
		t.leave()
	}
	t.poke()
}

func (t *tenant) observed() *corev1.Pod {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.pod
}

// gone takes in that the pod's object has been deleted.
func (t *tenant) gone() {
	t.mu.Lock()
	t.deleted = true
	t.mu.Unlock()
	t.leave()
}

func (t *tenant) poke() {
	select {
	case t.look <- struct{}{}:
	default: // It is to look already.
	}
}

// kill ends the instance at once; false if there is none.
func (t *tenant) kill() bool {
	s := t.show(nil, false)
	if s == nil {
		return false
	}
	s.kill()
	return true
}

// show sets what others see of the instance, and returns what they saw.
func (t *tenant) show(s *running, ready bool) *running {
	t.mu.Lock()
	defer t.mu.Unlock()
	before := t.running
	t.running, t.ready = s, ready
	return before
}

func (t *tenant) status() (InstanceStatus, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.running == nil {
		return InstanceStatus{}, false
	}
	s := InstanceStatus{
		Name: t.name, Service: t.service, Version: t.version, Address: t.running.address, Ready: t.ready,
	}
	if child := t.running.process; child != nil {
		s.PID, s.StartedAt, s.State = child.process.PID(), child.process.StartedAt(), child.state()
	}
	return s, true
}

// signal does something to the instance's process.
func (t *tenant) signal(what Signal) error {
	t.mu.Lock()
	s := t.running
	t.mu.Unlock()
	switch {
	case s == nil:
		return fmt.Errorf("no instance %q runs here", t.name)
	case s.process == nil:
		return fmt.Errorf("instance %q has no process of its own to %v: this layout runs instances in their node's", t.name, what)
	}
	if err := s.process.signal(what); err != nil {
		return fmt.Errorf("%v instance %q: %w", what, t.name, err)
	}
	return nil
}

// run is the pod's whole life on this node.
func (t *tenant) run(life context.Context) {
	defer t.leave()
	if err := t.live(life); err != nil && t.stay.Err() == nil {
		t.log.Warn("instance failed", "error", err)
		t.report(t.stay, failedStatus(err, time.Now()))
		<-t.stay.Done()
	}
	if life.Err() == nil {
		t.remove(life)
	}
}

// live starts the instance and serves. It returns nil once the instance has
// drained, because the pod is to end, and why if it has failed.
func (t *tenant) live(life context.Context) error {
	if phase := t.observed().Status.Phase; phase != "" && phase != corev1.PodPending {
		return errors.New("the agent of its node was restarted")
	}
	if !rest(t.stay, restartPause(t.observed())) {
		return nil
	}
	s, err := t.start()
	if err != nil {
		return fmt.Errorf("start: %w", err)
	}
	defer s.close()
	t.show(s, false)
	defer t.show(nil, false)
	t.tell(s, true)
	defer t.tell(s, false)
	t.serve(s)
	switch {
	case life.Err() != nil: // The machine goes down: nothing drains.
		return nil
	case t.stay.Err() != nil:
		t.show(s, false)
		t.tell(s, false)
		t.log.Info("draining", "address", s.address)
		if err := s.drain(life); err != nil {
			t.log.Warn("draining", "error", err)
		}
		return nil
	}
	return s.failure()
}

// tell tells whoever wants to know at once whether the instance takes requests.
func (t *tenant) tell(s *running, serves bool) {
	if told := t.agent.cfg.OnServing; told != nil {
		told(InstanceStatus{Name: t.name, Service: t.service, Version: t.version, Address: s.address}, serves)
	}
}

// serve tells the registry that the instance is ready, again when the registry
// comes to think otherwise, and that it is not while its process does not
// answer. It returns when the instance or the pod ends.
func (t *tenant) serve(s *running) {
	var watching sync.WaitGroup
	defer watching.Wait()
	serving, stop := context.WithCancel(t.stay)
	defer stop()
	defer context.AfterFunc(s.over, stop)()
	status := servingStatus(t.service, t.version, s.address, time.Now())
	t.report(serving, status)
	t.log.Info("serving", "address", s.address)
	t.setReady(s, true)
	var silence context.Context // until the process answers again; nil while it does
	for probed := t.probe(serving, &watching, s); ; {
		select {
		case <-serving.Done():
			return
		case silence = <-probed:
			if silence != nil {
				t.report(silence, silentStatus(time.Now()))
			}
			t.poke()
		case <-t.look:
			// Somebody took this node, or the process, for dead. It may say
			// otherwise only while its lease holds.
			if silence == nil && saysSilent(t.observed()) && t.agent.beat.valid(time.Now()) {
				t.report(serving, status)
			}
		}
	}
}

// probe sends a context each time that the instance's process stops answering,
// which ends when it answers again, and then nil; until ctx ends. Without a
// process there is nothing to send.
func (t *tenant) probe(ctx context.Context, work *sync.WaitGroup, s *running) <-chan context.Context {
	if s.process == nil {
		return nil
	}
	probed := make(chan context.Context)
	work.Go(func() {
		var silence context.Context
		end := func() {}
		defer func() { end() }()
		s.process.watch(ctx, func(answers bool) {
			pid := s.process.process.PID()
			t.setReady(s, answers)
			t.tell(s, answers)
			if answers {
				t.log.Info("ready: its process answers again", "pid", pid)
				end()
				silence = nil
			} else {
				t.log.Warn("not ready: its process does not answer", "pid", pid)
				silence, end = context.WithCancel(ctx)
			}
			select {
			case probed <- silence:
			case <-ctx.Done():
			}
		})
	})
	return probed
}

// setReady sets whether others see the instance as ready, as long as they see
// it at all.
func (t *tenant) setReady(s *running, ready bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ready = ready && t.running == s
}

// report writes the pod's status, for as long as that takes or ctx lasts.
func (t *tenant) report(ctx context.Context, status []byte) {
	err := t.agent.servers.write(ctx, func(ctx context.Context, c *client.Client) error {
		_, err := c.MergePatch(ctx, "pods", t.name, status, "status")
		return err
	})
	if err != nil && ctx.Err() == nil {
		t.log.Warn("reporting the pod's status", "error", err)
	}
}

// remove deletes the pod's object, which tells everybody that the instance is
// gone.
func (t *tenant) remove(life context.Context) {
	t.mu.Lock()
	deleted := t.deleted
	t.mu.Unlock()
	if deleted {
		return
	}
	err := t.agent.servers.write(life, func(ctx context.Context, c *client.Client) error {
		return c.Delete(ctx, "pods", t.name)
	})
	if err != nil && life.Err() == nil {
		t.log.Warn("deleting the pod", "error", err)
	}
}

// restartPause is how long a pod in whose place others have failed waits.
func restartPause(pod *corev1.Pod) time.Duration {
	restarts, err := strconv.Atoi(pod.Annotations[deploy.AnnotationRestarts])
	if err != nil || restarts <= 0 {
		return 0
	}
	pause := restartPauseMin
	for range restarts - 1 {
		if pause = min(2*pause, restartPauseMax); pause == restartPauseMax {
			break
		}
	}
	return pause
}
