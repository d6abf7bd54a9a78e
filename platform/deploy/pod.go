package deploy

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"breakbank/platform/registry"
)

// stableAfter is how long an instance must have run for its failure not to
// count towards the backoff of the next.
const stableAfter = 10 * time.Second

// drainGrace is the grace period written into pods that end, for those who
// read them; the node agent has its own bound.
const drainGraceSeconds = int64(5)

// newPod makes the pod of a replica. number is unique within the deployment
// for as long as the platform lives, and so is the name.
func newPod(d *appsv1.Deployment, replica, number, restarts int, node string) *corev1.Pod {
	template := d.Spec.Template.DeepCopy()
	version := template.Annotations[AnnotationVersion]
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name:      fmt.Sprintf("%s-%s-%d-%s", d.Name, version, number, node),
			Namespace: registry.Namespace,
			Labels:    template.Labels,
			Annotations: map[string]string{
				AnnotationVersion: version,
				AnnotationReplica: strconv.Itoa(replica),
			},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: "apps/v1", Kind: "Deployment", Name: d.Name, UID: d.UID,
			}},
		},
		Spec:   template.Spec,
		Status: corev1.PodStatus{Phase: corev1.PodPending},
	}
	if restarts > 0 {
		pod.Annotations[AnnotationRestarts] = strconv.Itoa(restarts)
	}
	pod.Spec.NodeName = node
	return pod
}

// ownerOf is the name of the deployment that a pod belongs to, or nothing.
func ownerOf(pod *corev1.Pod) string {
	for _, owner := range pod.OwnerReferences {
		if owner.Kind == "Deployment" {
			return owner.Name
		}
	}
	return ""
}

// numberOf is the number in a pod's name, 0 when it has none.
func numberOf(pod *corev1.Pod) int {
	rest := strings.TrimSuffix(pod.Name, "-"+pod.Spec.NodeName)
	number, err := strconv.Atoi(rest[strings.LastIndexByte(rest, '-')+1:])
	if err != nil {
		return 0
	}
	return number
}

// replicaOf is the number of the replica that a pod is, -1 when it is none.
func replicaOf(pod *corev1.Pod) int {
	replica, err := strconv.Atoi(pod.Annotations[AnnotationReplica])
	if err != nil {
		return -1
	}
	return replica
}

// restartsAfter is what a pod that takes the place of a failed one has as its
// number of restarts.
func restartsAfter(failed *corev1.Pod) int {
	ended := readyCondition(failed).LastTransitionTime
	if failed.Status.StartTime != nil && ended.Sub(failed.Status.StartTime.Time) >= stableAfter {
		return 0
	}
	before, err := strconv.Atoi(failed.Annotations[AnnotationRestarts])
	if err != nil {
		before = 0
	}
	return before + 1
}

func isFailed(pod *corev1.Pod) bool      { return pod.Status.Phase == corev1.PodFailed }
func isTerminating(pod *corev1.Pod) bool { return pod.DeletionTimestamp != nil }
func isReady(pod *corev1.Pod) bool {
	return readyCondition(pod).Status == corev1.ConditionTrue && !isFailed(pod)
}

func readyCondition(pod *corev1.Pod) corev1.PodCondition {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition
		}
	}
	return corev1.PodCondition{}
}

// setReady returns a copy of the pod with its Ready condition set.
func setReady(pod *corev1.Pod, status corev1.ConditionStatus, reason string, now time.Time) *corev1.Pod {
	changed := pod.DeepCopy()
	condition := corev1.PodCondition{
		Type: corev1.PodReady, Status: status, Reason: reason, LastTransitionTime: metav1.NewTime(now),
	}
	for i := range changed.Status.Conditions {
		if changed.Status.Conditions[i].Type == corev1.PodReady {
			changed.Status.Conditions[i] = condition
			return changed
		}
	}
	changed.Status.Conditions = append(changed.Status.Conditions, condition)
	return changed
}
