package deploy

import (
	"cmp"
	"slices"
	"strconv"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"breakbank/platform/registry"
)

// viewed are the resources that the controllers look at.
var viewed = []string{"services", "pods", "deployments", "nodes", "leases"}

// view is what the registry holds, as far as the controllers have heard.
// Objects in it are never modified: writers change copies. It is safe for
// concurrent use.
type view struct {
	mu        sync.Mutex
	resources map[string]*resourceView
	wakes     map[string][]chan struct{}
}

type resourceView struct {
	objects map[string]registry.Object
	heard   int64 // the revision up to which the watch has reported
}

func newView() *view {
	v := &view{resources: map[string]*resourceView{}, wakes: map[string][]chan struct{}{}}
	for _, resource := range viewed {
		v.resources[resource] = &resourceView{objects: map[string]registry.Object{}}
	}
	return v
}

// subscribe returns a channel that holds a token whenever one of the resources
// has changed since the token was last taken. It holds one to begin with.
func (v *view) subscribe(resources ...string) <-chan struct{} {
	wake := make(chan struct{}, 1)
	wake <- struct{}{}
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, resource := range resources {
		v.wakes[resource] = append(v.wakes[resource], wake)
	}
	return wake
}

// replace takes in a list read at a revision. What was written since then
// stays.
func (v *view) replace(resource string, objects []registry.Object, revision int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	r := v.resources[resource]
	for name, obj := range r.objects {
		if revisionOf(obj) <= revision {
			delete(r.objects, name)
		}
	}
	for _, obj := range objects {
		if known, ok := r.objects[obj.GetName()]; !ok || revisionOf(known) < revisionOf(obj) {
			r.objects[obj.GetName()] = obj
		}
	}
	r.heard = max(r.heard, revision)
	v.wake(resource)
}

// put takes in an object from the watch.
func (v *view) put(resource string, obj registry.Object) {
	v.mu.Lock()
	defer v.mu.Unlock()
	r := v.resources[resource]
	r.heard = max(r.heard, revisionOf(obj))
	if known, ok := r.objects[obj.GetName()]; ok && revisionOf(known) >= revisionOf(obj) {
		return
	}
	r.objects[obj.GetName()] = obj
	v.wake(resource)
}

// remove takes in a deletion from the watch.
func (v *view) remove(resource, name string, revision int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	r := v.resources[resource]
	r.heard = max(r.heard, revision)
	if known, ok := r.objects[name]; ok && revisionOf(known) <= revision {
		delete(r.objects, name)
		v.wake(resource)
	}
}

// written takes in what a controller has just written, so that it does not
// write it again before the watch brings it. What the watch has passed already
// is known better.
func (v *view) written(resource string, obj registry.Object) {
	v.mu.Lock()
	defer v.mu.Unlock()
	r := v.resources[resource]
	if revisionOf(obj) <= r.heard {
		return
	}
	r.objects[obj.GetName()] = obj
	v.wake(resource)
}

func (v *view) wake(resource string) {
	for _, wake := range v.wakes[resource] {
		select {
		case wake <- struct{}{}:
		default: // It holds a token already.
		}
	}
}

func (v *view) pods() []*corev1.Pod         { return listOf[*corev1.Pod](v, "pods") }
func (v *view) services() []*corev1.Service { return listOf[*corev1.Service](v, "services") }
func (v *view) nodes() []*corev1.Node       { return listOf[*corev1.Node](v, "nodes") }
func (v *view) deployments() []*appsv1.Deployment {
	return listOf[*appsv1.Deployment](v, "deployments")
}

// listOf returns the objects of a resource by name.
func listOf[T registry.Object](v *view, resource string) []T {
	v.mu.Lock()
	defer v.mu.Unlock()
	list := make([]T, 0, len(v.resources[resource].objects))
	for _, obj := range v.resources[resource].objects {
		if typed, ok := obj.(T); ok {
			list = append(list, typed)
		}
	}
	slices.SortFunc(list, func(a, b T) int { return cmp.Compare(a.GetName(), b.GetName()) })
	return list
}

// revisionOf is 0 for an object that has never been stored.
func revisionOf(obj registry.Object) int64 {
	revision, err := strconv.ParseInt(obj.GetResourceVersion(), 10, 64)
	if err != nil {
		return 0
	}
	return revision
}
