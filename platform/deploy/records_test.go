package deploy

import (
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"breakbank/platform/registry"
)

func testService(name string) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       corev1.ServiceSpec{Selector: map[string]string{LabelApp: name}},
	}
}

func testPod(name, app, address string, ready bool) *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Name: name, Labels: map[string]string{LabelApp: app}, Annotations: map[string]string{AnnotationVersion: "v1"},
	}}
	if address != "" {
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{{ContainerID: ContainerID(address)}}
	}
	if ready {
		pod = setReady(pod, corev1.ConditionTrue, "", time.Unix(0, 0))
	}
	return pod
}

func TestWhichPodsAreEndpoints(t *testing.T) {
	ending := testPod("ending", "ledger", "127.0.0.1:1003", true)
	now := metav1.Now()
	ending.DeletionTimestamp = &now
	failed := testPod("failed", "ledger", "127.0.0.1:1004", true)
	failed.Status.Phase = corev1.PodFailed
	pods := []*corev1.Pod{
		testPod("serving", "ledger", "127.0.0.1:1001", true),
		testPod("also", "ledger", "127.0.0.1:1002", true),
		testPod("starting", "ledger", "127.0.0.1:1005", false),
		testPod("nowhere", "ledger", "", true),
		testPod("lost", "ledger", "127.0.0.1:no", true),
		testPod("other", "payments", "127.0.0.1:1006", true),
		ending, failed,
	}
	pods[0].Spec.NodeName = "a2" // routers find out the zone by it
	service := testService("ledger")
	var named []string
	for _, subset := range Endpoints(service, pods).Subsets {
		address := subset.Addresses[0]
		named = append(named, address.TargetRef.Name+"@"+address.IP)
		if len(subset.Addresses) != 1 || len(subset.Ports) != 1 {
			t.Errorf("a subset with %d addresses and %d ports", len(subset.Addresses), len(subset.Ports))
		}
	}
	if want := []string{"serving@127.0.0.1", "also@127.0.0.1"}; !slices.Equal(named, want) {
		t.Errorf("endpoints %v, want %v", named, want)
	}
	if node := Endpoints(service, pods).Subsets[0].Addresses[0].NodeName; node == nil || *node != "a2" {
		t.Errorf("the instance is on node %v, want a2", node)
	}
	if slices := Slices(service, pods); len(slices) != 2 || *slices[1].Ports[0].Port != 1002 {
		t.Errorf("slices %+v, want one for each of two pods", slices)
	}
	keys := NamingKeys([]*corev1.Service{service}, pods)
	if keys["/naming/ledger/127.0.0.1:1001"] != "127.0.0.1:1001" || len(keys) != 2 {
		t.Errorf("naming keys %v", keys)
	}
}

// TestAddressesOfMachinesWithNames: a record has the host as it is, and a slice
// says what kind of address it has.
func TestAddressesOfMachinesWithNames(t *testing.T) {
	service := testService("ledger")
	for address, want := range map[string]struct {
		host string
		kind discoveryv1.AddressType
	}{
		"a1.bank:7200":   {"a1.bank", discoveryv1.AddressTypeFQDN},
		"127.0.0.1:7200": {"127.0.0.1", discoveryv1.AddressTypeIPv4},
		"[::1]:7200":     {"::1", discoveryv1.AddressTypeIPv6},
	} {
		pods := []*corev1.Pod{testPod("one", "ledger", address, true)}
		slice := Slices(service, pods)[0]
		if slice.AddressType != want.kind || slice.Endpoints[0].Addresses[0] != want.host || *slice.Ports[0].Port != 7200 {
			t.Errorf("%s: slice %+v", address, slice)
		}
		if record := Endpoints(service, pods); record.Subsets[0].Addresses[0].IP != want.host {
			t.Errorf("%s: record %+v", address, record)
		}
		if keys := NamingKeys([]*corev1.Service{service}, pods); keys["/naming/ledger/"+address] != address {
			t.Errorf("%s: naming keys %v", address, keys)
		}
	}
}

func TestNoPodsIsNullAndAnEmptySlice(t *testing.T) {
	stored, err := registry.Encode(Endpoints(testService("pots"), nil))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(stored), `"subsets":null`) {
		t.Errorf("stored as %s", stored)
	}
	if slices := Slices(testService("pots"), nil); len(slices) != 1 || slices[0].Name != "pots" || len(slices[0].Endpoints) != 0 {
		t.Errorf("slices %+v, want one that is empty", slices)
	}
}

func TestCompleteMeansWhatIsAskedForNow(t *testing.T) {
	w := newWorld("ledger", "v1", "a,b", 2)
	settle := func() {
		for range 10 {
			for _, pod := range slices.Clone(w.pods) {
				if isTerminating(pod) {
					w.drop(pod.Name)
				} else {
					w.ready(pod.Name)
				}
			}
			if _, err := w.step(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if Complete(w.deployment) {
		t.Error("complete before anybody looked")
	}
	settle()
	w.deployment = Observe(w.deployment, w.pods)
	if !Complete(w.deployment) {
		t.Errorf("not complete: %+v", w.deployment.Status)
	}
	w.deployment.Spec.Template.Annotations[AnnotationVersion] = "v2"
	if Complete(w.deployment) {
		t.Error("complete although the controller has not seen the new version")
	}
	w.deployment = Observe(w.deployment, w.pods)
	if Complete(w.deployment) {
		t.Error("complete although no pod has the new version")
	}
	if previous := w.deployment.Annotations[AnnotationPreviousVersion]; previous != "v1" {
		t.Errorf("previous version %q, want v1", previous)
	}
	settle()
	if w.deployment = Observe(w.deployment, w.pods); !Complete(w.deployment) {
		t.Errorf("not complete: %+v", w.deployment.Status)
	}
	if previous := w.deployment.Annotations[AnnotationPreviousVersion]; previous != "v1" {
		t.Errorf("previous version %q after the rollout, want v1 still", previous)
	}
	zero := int32(0)
	w.deployment.Spec.Replicas = &zero
	if _, err := w.step(); err != nil {
		t.Fatal(err)
	}
	if w.deployment = Observe(w.deployment, w.pods); Complete(w.deployment) {
		t.Error("complete although instances are draining")
	}
	settle()
	if w.deployment = Observe(w.deployment, w.pods); !Complete(w.deployment) {
		t.Errorf("scaled to zero, not complete: %+v", w.deployment.Status)
	}
}

func TestJudgeOfSilentNodes(t *testing.T) {
	now := time.Unix(1000, 0)
	nodes := []*corev1.Node{{ObjectMeta: metav1.ObjectMeta{Name: "a2"}}, {ObjectMeta: metav1.ObjectMeta{Name: "b2"}}}
	here, there := testPod("here", "x", "127.0.0.1:1", true), testPod("there", "x", "127.0.0.1:2", true)
	here.Spec.NodeName, there.Spec.NodeName = "a2", "b2"
	known := func(string) bool { return true }
	changedNodes, changedPods := Judge(nodes, []*corev1.Pod{here, there}, []string{"b2"}, known, now)
	if len(changedPods) != 1 || changedPods[0].Name != "there" || isReady(changedPods[0]) {
		t.Errorf("changed pods %v", changedPods)
	}
	if !isReady(there) {
		t.Error("the object that was given has been modified")
	}
	if len(changedNodes) != 2 {
		t.Fatalf("%d nodes changed, want both: one ready, one not", len(changedNodes))
	}
	again, _ := Judge(changedNodes, nil, []string{"b2"}, known, now)
	if len(again) != 0 {
		t.Errorf("judged twice, changed twice: %v", again)
	}
}
