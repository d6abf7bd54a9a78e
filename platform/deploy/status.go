package deploy

import (
	"cmp"
	"context"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
)

// Complete says whether a deployment's pods are what it asks for: all there,
// all current, all ready, and none of the others still draining.
//
// metadata.generation is not needed for it. The status is written in one go
// with the annotation AnnotationObserved, which says what was asked for when
// the controller looked; a change that it has not seen makes the two differ.
func Complete(d *appsv1.Deployment) bool {
	replicas := int32(replicasOf(d))
	return d.Annotations[AnnotationObserved] == wanted(d) &&
		d.Status.Replicas == replicas &&
		d.Status.UpdatedReplicas == replicas &&
		d.Status.ReadyReplicas == replicas &&
		(d.Status.TerminatingReplicas == nil || *d.Status.TerminatingReplicas == 0)
}

// wanted is everything in a deployment that its pods depend on.
func wanted(d *appsv1.Deployment) string {
	return fmt.Sprintf("%s %d %s", versionOf(d), replicasOf(d), d.Spec.Template.Annotations[AnnotationNodes])
}

// Observe returns the deployment with its status as its pods show it, and
// with the version before the current one kept for a rollback.
func Observe(d *appsv1.Deployment, pods []*corev1.Pod) *appsv1.Deployment {
	observed := d.DeepCopy()
	var terminating int32
	observed.Status = appsv1.DeploymentStatus{
		ObservedGeneration: d.Generation, TerminatingReplicas: &terminating, Conditions: d.Status.Conditions,
	}
	for _, pod := range pods {
		if isTerminating(pod) {
			terminating++
			continue
		}
		if isFailed(pod) {
			continue
		}
		observed.Status.Replicas++
		if pod.Annotations[AnnotationVersion] == versionOf(d) {
			observed.Status.UpdatedReplicas++
		}
		if isReady(pod) {
			observed.Status.ReadyReplicas++
			observed.Status.AvailableReplicas++
		}
	}
	observed.Status.UnavailableReplicas = max(0, int32(replicasOf(d))-observed.Status.ReadyReplicas)
	if observed.Annotations == nil {
		observed.Annotations = map[string]string{}
	}
	var before string
	_, _ = fmt.Sscan(d.Annotations[AnnotationObserved], &before) // Empty before the first look.
	if before != "" && before != versionOf(d) {
		observed.Annotations[AnnotationPreviousVersion] = before
	}
	observed.Annotations[AnnotationObserved] = wanted(d)
	return observed
}

// statuses is the controller that keeps deployments' status.
type statuses struct {
	view   *view
	writer writer
}

func (c *statuses) run(ctx context.Context) {
	loop(ctx, c.view.subscribe("deployments", "pods"), c.step)
}

func (c *statuses) step(ctx context.Context) time.Duration {
	owned := map[string][]*corev1.Pod{}
	for _, pod := range c.view.pods() {
		owned[ownerOf(pod)] = append(owned[ownerOf(pod)], pod)
	}
	var again time.Duration
	for _, d := range c.view.deployments() {
		observed := Observe(d, owned[d.Name])
		if equality.Semantic.DeepEqual(d, observed) {
			continue
		}
		done, err := c.writer.update(ctx, "deployments", observed)
		if err != nil {
			again = cmp.Or(again, c.writer.failed(ctx, "writing a deployment's status", err))
		}
		if done {
			c.view.written("deployments", observed)
		}
	}
	return again
}
