package node

import (
	"encoding/json"
	"fmt"
	"net"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"breakbank/platform/deploy"
)

// reasonCrashed is a failed pod's reason; its message says more.
const reasonCrashed = "InstanceFailed"

// servingStatus is the merge patch that makes a pod ready at an address.
func servingStatus(service, version, address string, since time.Time) []byte {
	started, ready := metav1.NewTime(since), true
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	return statusPatch(corev1.PodStatus{
		Phase: corev1.PodRunning, HostIP: host, PodIP: host, PodIPs: []corev1.PodIP{{IP: host}}, StartTime: &started,
		Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: started}},
		ContainerStatuses: []corev1.ContainerStatus{{
			Name: service, Image: service + ":" + version, ContainerID: deploy.ContainerID(address), Ready: true, Started: &ready,
			State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: started}},
		}},
	})
}

// reasonSilent is why a pod is not ready whose process does not answer.
const reasonSilent = "ProcessDoesNotAnswer"

// silentStatus is the merge patch that makes a pod not ready whose process is
// there and does not answer. It stays: it may answer again.
func silentStatus(at time.Time) []byte {
	return statusPatch(corev1.PodStatus{Conditions: []corev1.PodCondition{{
		Type: corev1.PodReady, Status: corev1.ConditionFalse, Reason: reasonSilent, LastTransitionTime: metav1.NewTime(at),
	}}})
}

// failedStatus is the merge patch that reports a pod's end.
func failedStatus(why error, at time.Time) []byte {
	return statusPatch(corev1.PodStatus{
		Phase: corev1.PodFailed, Reason: reasonCrashed, Message: why.Error(),
		Conditions: []corev1.PodCondition{{
			Type: corev1.PodReady, Status: corev1.ConditionFalse, Reason: reasonCrashed, LastTransitionTime: metav1.NewTime(at),
		}},
	})
}

func statusPatch(status corev1.PodStatus) []byte {
	patch, err := json.Marshal(map[string]any{"status": status})
	if err != nil {
		panic(fmt.Sprintf("encode a pod's status: %v", err)) // Plain data: cannot be.
	}
	return patch
}

// saysSilent says whether the registry holds a pod for not ready because its
// node, or its process, was silent.
func saysSilent(pod *corev1.Pod) bool {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status != corev1.ConditionTrue &&
				(condition.Reason == deploy.ReasonNodeSilent || condition.Reason == reasonSilent)
		}
	}
	return false
}
