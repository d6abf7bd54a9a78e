// Package registry is where the platform keeps what it knows about itself:
// real etcd members in this process, and typed Kubernetes objects stored in
// them as JSON.
//
// Cluster runs and reconfigures the members. Store reads, writes and watches
// objects through any etcd client. Nothing here speaks HTTP: the Kubernetes
// dialect that routers and kubectl use is platform/apiserver.
package registry

import (
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// Namespace is the only namespace there is. Every namespaced object lies in
// it.
const Namespace = "default"

// Endpoints lists the addresses behind a Service. Kubernetes has deprecated it
// for EndpointSlice since 1.33; it is what the routers of 2017 read.
type Endpoints = corev1.Endpoints //nolint:staticcheck // see above

// Object is what the registry stores: any of the public Kubernetes types.
type Object interface {
	metav1.Object
	runtime.Object
}

// Kind describes one kind of object: how Kubernetes names it, and how to make
// an empty one.
type Kind struct {
	Resource   string // plural, as in URLs and etcd keys: "endpoints"
	Group      string // API group, empty for the core group
	Version    string
	Kind       string // singular, as in the object's own "kind" field
	Singular   string // as kubectl accepts it: "service"
	ShortNames []string
	Namespaced bool
	HasStatus  bool // has a status subresource
	HasScale   bool // has a scale subresource
	New        func() Object
	Is         func(Object) bool // tells whether an object is of this kind
}

// APIVersion returns the value of the "apiVersion" field of the kind's
// objects.
func (k Kind) APIVersion() string {
	if k.Group == "" {
		return k.Version
	}
	return k.Group + "/" + k.Version
}

// Kinds lists every kind the platform stores.
var Kinds = []Kind{
	{
		Resource: "services", Version: "v1", Kind: "Service", Singular: "service", ShortNames: []string{"svc"},
		Namespaced: true, HasStatus: true, New: func() Object { return new(corev1.Service) }, Is: is[*corev1.Service],
	},
	{
		Resource: "endpoints", Version: "v1", Kind: "Endpoints", Singular: "endpoints", ShortNames: []string{"ep"},
		Namespaced: true, New: func() Object { return new(Endpoints) }, Is: is[*Endpoints],
	},
	{
		Resource: "endpointslices", Group: "discovery.k8s.io", Version: "v1", Kind: "EndpointSlice", Singular: "endpointslice",
		Namespaced: true, New: func() Object { return new(discoveryv1.EndpointSlice) }, Is: is[*discoveryv1.EndpointSlice],
	},
	{
		Resource: "configmaps", Version: "v1", Kind: "ConfigMap", Singular: "configmap", ShortNames: []string{"cm"},
		Namespaced: true, New: func() Object { return new(corev1.ConfigMap) }, Is: is[*corev1.ConfigMap],
	},
	{
		Resource: "pods", Version: "v1", Kind: "Pod", Singular: "pod", ShortNames: []string{"po"},
		Namespaced: true, HasStatus: true, New: func() Object { return new(corev1.Pod) }, Is: is[*corev1.Pod],
	},
	{
		Resource: "nodes", Version: "v1", Kind: "Node", Singular: "node", ShortNames: []string{"no"},
		HasStatus: true, New: func() Object { return new(corev1.Node) }, Is: is[*corev1.Node],
	},
	{
		Resource: "deployments", Group: "apps", Version: "v1", Kind: "Deployment", Singular: "deployment", ShortNames: []string{"deploy"},
		Namespaced: true, HasStatus: true, HasScale: true, New: func() Object { return new(appsv1.Deployment) }, Is: is[*appsv1.Deployment],
	},
	{
		Resource: "leases", Group: "coordination.k8s.io", Version: "v1", Kind: "Lease", Singular: "lease",
		Namespaced: true, New: func() Object { return new(coordinationv1.Lease) }, Is: is[*coordinationv1.Lease],
	},
}

func is[T Object](obj Object) bool {
	_, ok := obj.(T)
	return ok
}

// KindOf returns the kind stored under a resource name such as "endpoints".
func KindOf(resource string) (Kind, bool) {
	for _, k := range Kinds {
		if k.Resource == resource {
			return k, true
		}
	}
	return Kind{}, false
}

// prefix is the etcd key under which all objects of the kind lie.
func (k Kind) prefix() string {
	if k.Namespaced {
		return "/registry/" + k.Resource + "/" + Namespace + "/"
	}
	return "/registry/" + k.Resource + "/"
}

// key is the etcd key of one object of the kind.
func (k Kind) key(name string) string { return k.prefix() + name }
