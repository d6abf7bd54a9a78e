package deploy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"breakbank/platform/registry"
)

// rollouts is the controller of deployments.
type rollouts struct {
	view    *view
	writer  writer
	numbers map[string]int    // the highest number that a pod has had, by deployment
	refused map[string]string // what was last said of deployments that cannot be placed
}

func (c *rollouts) run(ctx context.Context) {
	loop(ctx, c.view.subscribe("deployments", "pods"), c.step)
}

func (c *rollouts) step(ctx context.Context) time.Duration {
	owned := map[string][]*corev1.Pod{}
	for _, pod := range c.view.pods() {
		owner := ownerOf(pod)
		owned[owner] = append(owned[owner], pod)
		c.numbers[owner] = max(c.numbers[owner], numberOf(pod))
	}
	delete(owned, "") // Pods that no deployment started are not ours.
	refused := map[string]string{}
	var applying errgroup.Group
	applying.SetLimit(writesAtOnce)
	for _, d := range c.view.deployments() {
		plan, err := Roll(d, owned[d.Name], c.numbers[d.Name])
		delete(owned, d.Name)
		if err != nil {
			refused[d.Name] = err.Error()
			if c.refused[d.Name] != err.Error() {
				c.writer.log.Warn("rolling out", "error", err)
			}
			continue
		}
		for _, pod := range plan.Create {
			c.numbers[d.Name] = max(c.numbers[d.Name], numberOf(pod))
		}
		applying.Go(func() error { return c.apply(ctx, plan) })
	}
	c.refused = refused
	for _, orphans := range owned {
		applying.Go(func() error { return c.apply(ctx, dismantle(orphans)) })
	}
	if err := applying.Wait(); err != nil {
		return c.writer.failed(ctx, "rolling out", err)
	}
	return 0
}

// dismantle plans the end of pods whose deployment is gone.
func dismantle(pods []*corev1.Pod) Plan {
	var plan Plan
	for _, pod := range pods {
		switch {
		case isFailed(pod):
			plan.Remove = append(plan.Remove, pod)
		case !isTerminating(pod):
			plan.Terminate = append(plan.Terminate, pod)
		}
	}
	return plan
}

func (c *rollouts) apply(ctx context.Context, plan Plan) error {
	for _, pod := range plan.Remove {
		if err := c.writer.remove(ctx, "pods", pod.Name); err != nil {
			return err
		}
		c.writer.log.Info("failed pod removed", "pod", pod.Name, "reason", pod.Status.Message)
	}
	for _, pod := range plan.Terminate {
		ending := pod.DeepCopy()
		now, grace := metav1.Now(), drainGraceSeconds
		ending.DeletionTimestamp, ending.DeletionGracePeriodSeconds = &now, &grace
		done, err := c.writer.update(ctx, "pods", ending)
		if err != nil {
			return fmt.Errorf("terminate pod: %w", err)
		}
		if done {
			c.view.written("pods", ending)
			c.writer.log.Info("pod ends", "pod", pod.Name)
		}
	}
	for _, pod := range plan.Create {
		if err := c.writer.create(ctx, "pods", pod); err != nil && !errors.Is(err, registry.ErrExists) {
			return err
		} else if err == nil {
			c.view.written("pods", pod)
			c.writer.log.Info("pod created", "pod", pod.Name)
		}
	}
	return nil
}
