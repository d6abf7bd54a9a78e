package deploy

import (
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// surge is by how many pods a deployment may exceed its replicas while it
// rolls over. Pods that are draining do not count, as in Kubernetes. The
// number of replicas that may be unavailable meanwhile is 0.
const surge = 1

// Plan is what a deployment needs next, in this order.
type Plan struct {
	Remove    []*corev1.Pod // failed: their objects go
	Terminate []*corev1.Pod // their instances drain
	Create    []*corev1.Pod
}

// Roll says what takes a deployment from the pods that it has towards those
// that it asks for.
//
// Every replica is a place on a node, and is rolled over by itself: the new
// pod starts on the node of the one that it replaces, and once it is ready the
// old one is terminated, unless an instance is missing elsewhere. So a rollout
// never leaves fewer ready instances than replicas, nor more than one to spare. Replicas that have no pod at all are
// filled without regard to the surge; those that are not asked for any more
// are terminated at once, and so is an outdated pod that is not ready, since
// nobody is served by it. A failed pod is replaced at once; how fast one that
// keeps failing is started again is for the node agent, which sees the number
// of its restarts.
//
// pods are those that the deployment owns. lastNumber is the highest number
// that one of its pods has ever had.
func Roll(d *appsv1.Deployment, pods []*corev1.Pod, lastNumber int) (Plan, error) {
	nodes, err := placement(d)
	if err != nil {
		return Plan{}, err
	}
	replicas := replicasOf(d)
	r := rolling{deployment: d, number: lastNumber, places: make([]place, replicas)}
	for i := range r.places {
		r.places[i].node = nodes[i%len(nodes)]
	}
	for _, pod := range pods {
		r.sort(pod)
	}
	for i := range r.places {
		r.settle(&r.places[i])
	}
	// Places where nobody is come before those where somebody is to spare.
	for i := range r.places {
		if len(r.places[i].current)+len(r.places[i].outdated) == 0 {
			r.create(i)
		}
	}
	for i := range r.places {
		if len(r.places[i].current) == 0 && r.live < replicas+surge {
			r.create(i)
		}
	}
	return r.plan, nil
}

// rolling is a Roll under way.
type rolling struct {
	deployment *appsv1.Deployment
	places     []place
	number     int
	live       int // pods that neither end nor have failed, those planned included
	ready      int // those of them that serve
	plan       Plan
}

// place is a replica: a node, and the pods there that are meant to be it.
type place struct {
	node     string
	current  []*corev1.Pod
	outdated []*corev1.Pod
	restarts int
}

// sort finds the place of a pod.
func (r *rolling) sort(pod *corev1.Pod) {
	replica := replicaOf(pod)
	wanted := replica >= 0 && replica < len(r.places)
	switch {
	case isFailed(pod):
		r.plan.Remove = append(r.plan.Remove, pod)
		if wanted && r.isCurrent(pod, r.places[replica]) {
			r.places[replica].restarts = max(r.places[replica].restarts, restartsAfter(pod))
		}
	case isTerminating(pod):
	case !wanted:
		r.plan.Terminate = append(r.plan.Terminate, pod)
	case r.isCurrent(pod, r.places[replica]):
		r.places[replica].current = append(r.places[replica].current, pod)
		r.count(pod, 1)
	default:
		r.places[replica].outdated = append(r.places[replica].outdated, pod)
		r.count(pod, 1)
	}
}

func (r *rolling) count(pod *corev1.Pod, by int) {
	r.live += by
	if isReady(pod) {
		r.ready += by
	}
}

func (r *rolling) isCurrent(pod *corev1.Pod, at place) bool {
	return pod.Annotations[AnnotationVersion] == versionOf(r.deployment) && pod.Spec.NodeName == at.node
}

// settle terminates what a place does not need any more.
func (r *rolling) settle(p *place) {
	served := slices.ContainsFunc(p.current, isReady)
	var kept []*corev1.Pod
	for _, pod := range p.outdated {
		// Where another place has nobody who serves, this one is not to spare.
		spare := (served || len(kept) > 0) && r.ready > len(r.places)
		if spare || !isReady(pod) {
			r.terminate(pod)
		} else {
			kept = append(kept, pod)
		}
	}
	p.outdated = kept
	// More than one current pod in a place: two controllers were at work, or a
	// rollback met its own past. The oldest stays, a ready one before others.
	slices.SortFunc(p.current, func(a, b *corev1.Pod) int {
		if isReady(a) != isReady(b) {
			if isReady(a) {
				return -1
			}
			return 1
		}
		return numberOf(a) - numberOf(b)
	})
	for len(p.current) > 1 {
		last := len(p.current) - 1
		r.terminate(p.current[last])
		p.current = p.current[:last]
	}
}

func (r *rolling) terminate(pod *corev1.Pod) {
	r.plan.Terminate = append(r.plan.Terminate, pod)
	r.count(pod, -1)
}

// create starts a pod in a place.
func (r *rolling) create(replica int) {
	p := &r.places[replica]
	r.number++
	r.live++
	pod := newPod(r.deployment, replica, r.number, p.restarts, p.node)
	p.current = append(p.current, pod)
	r.plan.Create = append(r.plan.Create, pod)
}

// placement is the list of nodes that a deployment names.
func placement(d *appsv1.Deployment) ([]string, error) {
	var nodes []string
	for node := range strings.SplitSeq(d.Spec.Template.Annotations[AnnotationNodes], ",") {
		if node = strings.TrimSpace(node); node != "" {
			nodes = append(nodes, node)
		}
	}
	if len(nodes) == 0 {
		return nil, fmt.Errorf("deployment %s: its template has no %s: nowhere to place instances", d.Name, AnnotationNodes)
	}
	if versionOf(d) == "" {
		return nil, fmt.Errorf("deployment %s: its template has no %s", d.Name, AnnotationVersion)
	}
	if wrong := Check(d); len(wrong) > 0 {
		return nil, fmt.Errorf("deployment %s: %w", d.Name, wrong.ToAggregate())
	}
	return nodes, nil
}

func versionOf(d *appsv1.Deployment) string { return d.Spec.Template.Annotations[AnnotationVersion] }

// replicasOf is 1 where a deployment does not say, as in Kubernetes.
func replicasOf(d *appsv1.Deployment) int {
	if d.Spec.Replicas == nil {
		return 1
	}
	return max(int(*d.Spec.Replicas), 0)
}
