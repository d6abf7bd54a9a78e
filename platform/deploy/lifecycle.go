package deploy

import (
	"context"
	"slices"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ReasonNodeSilent is why the pods of a silent node are not ready. Its agent,
// if it lives after all, says that they are once its lease is renewed.
const ReasonNodeSilent = "NodeLeaseExpired"

// lifecycle is the controller of nodes.
type lifecycle struct {
	view   *view
	writer writer

	beats Heartbeats
	seen  map[string]int64 // revision of each lease when it was last looked at
}

func newLifecycle(v *view, w writer) *lifecycle {
	return &lifecycle{view: v, writer: w, seen: map[string]int64{}}
}

func (c *lifecycle) run(ctx context.Context) {
	loop(ctx, c.view.subscribe("leases", "nodes", "pods"), c.step)
}

func (c *lifecycle) step(ctx context.Context) time.Duration {
	now := time.Now()
	c.listen(now)
	silent := c.beats.Silent(now)
	nodes, pods := Judge(c.view.nodes(), c.view.pods(), silent, c.beats.Known, now)
	for _, pod := range pods {
		done, err := c.writer.update(ctx, "pods", pod)
		if err != nil {
			return c.writer.failed(ctx, "marking a pod of a silent node", err)
		}
		if done {
			c.view.written("pods", pod)
			c.writer.log.Warn("pod not ready: its node is silent", "pod", pod.Name, "node", pod.Spec.NodeName)
		}
	}
	for _, node := range nodes {
		done, err := c.writer.update(ctx, "nodes", node)
		if err != nil {
			return c.writer.failed(ctx, "marking a node", err)
		}
		if done {
			c.view.written("nodes", node)
		}
	}
	if next := c.beats.Next(now); !next.IsZero() {
		return max(next.Sub(now), time.Millisecond)
	}
	return 0
}

// listen takes in the leases that have changed since the last look.
func (c *lifecycle) listen(now time.Time) {
	leases := listOf[*coordinationv1.Lease](c.view, "leases")
	for name := range c.seen {
		if !slices.ContainsFunc(leases, func(l *coordinationv1.Lease) bool { return l.Name == name }) {
			delete(c.seen, name)
			c.beats.Forget(name)
		}
	}
	for _, lease := range leases {
		if revision := revisionOf(lease); c.seen[lease.Name] != revision {
			c.seen[lease.Name] = revision
			c.beats.Heard(lease.Name, now)
		}
	}
}

// Judge returns the nodes and pods whose Ready condition must change: pods of
// silent nodes are not ready, and nodes are ready when known and not silent.
func Judge(nodes []*corev1.Node, pods []*corev1.Pod, silent []string, known func(node string) bool, now time.Time) ([]*corev1.Node, []*corev1.Pod) {
	var changedNodes []*corev1.Node
	for _, node := range nodes {
		status, reason := corev1.ConditionTrue, "LeaseRenewed"
		if !known(node.Name) || slices.Contains(silent, node.Name) {
			status, reason = corev1.ConditionUnknown, ReasonNodeSilent
		}
		if changed := setNodeReady(node, status, reason, now); changed != nil {
			changedNodes = append(changedNodes, changed)
		}
	}
	var changedPods []*corev1.Pod
	for _, pod := range pods {
		if slices.Contains(silent, pod.Spec.NodeName) && isReady(pod) {
			changedPods = append(changedPods, setReady(pod, corev1.ConditionFalse, ReasonNodeSilent, now))
		}
	}
	return changedNodes, changedPods
}

// setNodeReady returns a changed copy, or nil if nothing changes.
func setNodeReady(node *corev1.Node, status corev1.ConditionStatus, reason string, now time.Time) *corev1.Node {
	at := slices.IndexFunc(node.Status.Conditions, func(c corev1.NodeCondition) bool { return c.Type == corev1.NodeReady })
	if at >= 0 && node.Status.Conditions[at].Status == status {
		return nil
	}
	changed := node.DeepCopy()
	if at >= 0 {
		changed.Status.Conditions = slices.Delete(changed.Status.Conditions, at, at+1)
	}
	changed.Status.Conditions = append(changed.Status.Conditions, corev1.NodeCondition{
		Type: corev1.NodeReady, Status: status, Reason: reason, LastTransitionTime: metav1.NewTime(now),
	})
	return changed
}
