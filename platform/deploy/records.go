package deploy

import (
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"breakbank/platform/registry"
)

// portName is the name of the one port that an instance has.
const portName = "grpc"

// Serving returns the pods that a Service's records should name: selected by
// it, ready, not terminating, and at a known address.
func Serving(service *corev1.Service, pods []*corev1.Pod) []*corev1.Pod {
	selector := labels.SelectorFromSet(service.Spec.Selector)
	var serving []*corev1.Pod
	for _, pod := range pods {
		if _, _, ok := addressOf(pod); ok && isReady(pod) && !isTerminating(pod) && selector.Matches(labels.Set(pod.Labels)) {
			serving = append(serving, pod)
		}
	}
	return serving
}

// Endpoints returns the record that a Service's pods should have: a subset a
// pod, since each listens on a port of its own. Without pods it has no
// subsets, which the registry writes as null.
func Endpoints(service *corev1.Service, pods []*corev1.Pod) *registry.Endpoints {
	record := &registry.Endpoints{ObjectMeta: metav1.ObjectMeta{
		Name: service.Name, Namespace: registry.Namespace, Labels: service.Labels,
	}}
	for _, pod := range Serving(service, pods) {
		ip, port, _ := addressOf(pod)
		node := pod.Spec.NodeName
		record.Subsets = append(record.Subsets, corev1.EndpointSubset{
			Addresses: []corev1.EndpointAddress{{IP: ip, NodeName: &node, TargetRef: reference(pod)}},
			Ports:     []corev1.EndpointPort{{Name: portName, Port: port}},
		})
	}
	return record
}

// Slices returns the EndpointSlices of a Service: one a pod, of the pod's
// name, because all endpoints of a slice share its ports; and an empty one of
// the Service's name when there are none.
func Slices(service *corev1.Service, pods []*corev1.Pod) []*discoveryv1.EndpointSlice {
	serving := Serving(service, pods)
	if len(serving) == 0 {
		return []*discoveryv1.EndpointSlice{newSlice(service, service.Name)}
	}
	slices := make([]*discoveryv1.EndpointSlice, len(serving))
	for i, pod := range serving {
		ip, port, _ := addressOf(pod)
		name, node, ready := portName, pod.Spec.NodeName, true
		slice := newSlice(service, pod.Name)
		slice.AddressType = addressType(ip)
		slice.Ports = []discoveryv1.EndpointPort{{Name: &name, Port: &port}}
		slice.Endpoints = []discoveryv1.Endpoint{{
			Addresses:  []string{ip},
			Conditions: discoveryv1.EndpointConditions{Ready: &ready, Serving: &ready},
			NodeName:   &node,
			TargetRef:  reference(pod),
		}}
		slices[i] = slice
	}
	return slices
}

func newSlice(service *corev1.Service, name string) *discoveryv1.EndpointSlice {
	return &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: registry.Namespace,
			Labels: map[string]string{discoveryv1.LabelServiceName: service.Name, discoveryv1.LabelManagedBy: managedBy},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints:   []discoveryv1.Endpoint{},
	}
}

// addressType says what kind of address a host is. A slice never changes its
// kind: it is named after its pod, which keeps its address.
func addressType(host string) discoveryv1.AddressType {
	switch ip, err := netip.ParseAddr(host); {
	case err != nil:
		return discoveryv1.AddressTypeFQDN
	case ip.Is6() && !ip.Is4In6():
		return discoveryv1.AddressTypeIPv6
	}
	return discoveryv1.AddressTypeIPv4
}

// managedBy marks the slices that are ours.
const managedBy = "endpointslice-controller.breakbank"

func reference(pod *corev1.Pod) *corev1.ObjectReference {
	return &corev1.ObjectReference{Kind: "Pod", Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID}
}
