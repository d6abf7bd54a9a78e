package deploy

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"
)

// world is a deployment and its pods, with no registry and no agents: the
// transcript plays those.
type world struct {
	deployment *appsv1.Deployment
	pods       []*corev1.Pod
	last       int
}

func newWorld(name, version, nodes string, replicas int32) *world {
	return &world{deployment: &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas,
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{
				Labels:      map[string]string{LabelApp: name},
				Annotations: map[string]string{AnnotationVersion: version, AnnotationNodes: nodes},
			}},
		},
	}}
}

// step rolls once and carries out what that says.
func (w *world) step() (Plan, error) {
	plan, err := Roll(w.deployment, w.pods, w.last)
	if err != nil {
		return plan, err
	}
	for _, pod := range plan.Remove {
		w.drop(pod.Name)
	}
	for _, pod := range plan.Terminate {
		now := metav1.Now()
		w.pod(pod.Name).DeletionTimestamp = &now
	}
	for _, pod := range plan.Create {
		w.pods = append(w.pods, pod)
		w.last = max(w.last, numberOf(pod))
	}
	return plan, nil
}

func (w *world) pod(name string) *corev1.Pod {
	for _, pod := range w.pods {
		if pod.Name == name {
			return pod
		}
	}
	return nil
}

func (w *world) drop(name string) {
	w.pods = slices.DeleteFunc(w.pods, func(p *corev1.Pod) bool { return p.Name == name })
}

func (w *world) ready(name string) {
	pod := w.pod(name)
	*pod = *setReady(pod, corev1.ConditionTrue, "", time.Now())
	pod.Status.Phase = corev1.PodRunning
}

func (w *world) fail(name string, after time.Duration) {
	pod := w.pod(name)
	started := metav1.NewTime(time.Unix(1000, 0))
	*pod = *setReady(pod, corev1.ConditionFalse, "", started.Add(after))
	pod.Status.Phase, pod.Status.StartTime = corev1.PodFailed, &started
}

func (w *world) String() string {
	var b strings.Builder
	for _, pod := range w.pods {
		fmt.Fprintf(&b, "%s replica=%d", pod.Name, replicaOf(pod))
		if restarts := pod.Annotations[AnnotationRestarts]; restarts != "" {
			fmt.Fprintf(&b, " restarts=%s", restarts)
		}
		switch {
		case isTerminating(pod):
			b.WriteString(" draining")
		case isFailed(pod):
			b.WriteString(" failed")
		case isReady(pod):
			b.WriteString(" ready")
		default:
			b.WriteString(" starting")
		}
		b.WriteByte('\n')
	}
	if len(w.pods) == 0 {
		return "no pods\n"
	}
	return b.String()
}

func printPlan(plan Plan) string {
	var b strings.Builder
	for _, part := range []struct {
		verb string
		pods []*corev1.Pod
	}{{"remove", plan.Remove}, {"terminate", plan.Terminate}, {"create", plan.Create}} {
		for _, pod := range part.pods {
			fmt.Fprintf(&b, "%s %s\n", part.verb, pod.Name)
		}
	}
	if b.Len() == 0 {
		return "nothing to do\n"
	}
	return b.String()
}

func TestRolloutTranscript(t *testing.T) {
	datadriven.RunTest(t, "testdata/rollout", rolloutScript())
}

// rolloutScript returns the interpreter of a rollout's transcript.
func rolloutScript() func(*testing.T, *datadriven.TestData) string {
	var w *world
	return func(t *testing.T, d *datadriven.TestData) string {
		var name, version, nodes string
		var replicas, seconds int
		d.MaybeScanArgs(t, "pod", &name)
		d.MaybeScanArgs(t, "version", &version)
		d.MaybeScanArgs(t, "nodes", &nodes)
		hasReplicas := d.MaybeScanArgs(t, "replicas", &replicas)
		d.MaybeScanArgs(t, "after_s", &seconds)
		switch d.Cmd {
		case "deployment":
			w = newWorld(d.CmdArgs[0].Key, version, strings.ReplaceAll(nodes, "+", ","), int32(replicas))
			return w.String()
		case "set":
			if version != "" {
				w.deployment.Spec.Template.Annotations[AnnotationVersion] = version
			}
			if hasReplicas {
				count := int32(replicas)
				w.deployment.Spec.Replicas = &count
			}
		case "ready":
			w.ready(name)
		case "drained":
			w.drop(name)
		case "failed":
			w.fail(name, time.Duration(seconds)*time.Second)
		case "settle": // Everything that starts gets ready, everything that drains goes.
			for _, pod := range slices.Clone(w.pods) {
				if isTerminating(pod) {
					w.drop(pod.Name)
				} else if !isFailed(pod) {
					w.ready(pod.Name)
				}
			}
		case "pods":
		default:
			t.Fatalf("unknown command %q", d.Cmd)
		}
		plan, err := w.step()
		if err != nil {
			return err.Error() + "\n"
		}
		return printPlan(plan) + "----\n" + w.String()
	}
}

// Whatever happens to the pods of a rollout, in whatever order, never more
// than one is to spare, never fewer serve than did before unless one failed or
// fewer are asked for, and in the end it is complete.
func TestRolloutInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld("svc", "v1", "a,b,c", int32(rapid.IntRange(0, 5).Draw(t, "replicas")))
		settle := func() {
			for range 40 {
				for _, pod := range slices.Clone(w.pods) {
					if isTerminating(pod) {
						w.drop(pod.Name)
					} else if !isFailed(pod) {
						w.ready(pod.Name)
					}
				}
				if plan, _ := w.step(); len(plan.Create)+len(plan.Remove)+len(plan.Terminate) == 0 {
					return
				}
			}
			t.Fatalf("the rollout does not end:\n%s", w)
		}
		_, _ = w.step()
		settle()
		for range rapid.IntRange(1, 60).Draw(t, "events") {
			serving, failed := count(w.pods, serves), false
			switch event := rapid.SampledFrom([]string{"version", "version", "ready", "ready", "drained", "fail"}).Draw(t, "event"); event {
			case "version":
				w.deployment.Spec.Template.Annotations[AnnotationVersion] = rapid.SampledFrom([]string{"v1", "v2", "v3"}).Draw(t, "version")
			default:
				if len(w.pods) == 0 {
					continue
				}
				pod := rapid.SampledFrom(w.pods).Draw(t, "pod")
				switch {
				case event == "drained" && isTerminating(pod):
					w.drop(pod.Name)
				case event == "ready" && !isTerminating(pod) && !isFailed(pod):
					w.ready(pod.Name)
					serving = count(w.pods, serves)
				case event == "fail":
					w.fail(pod.Name, 0)
					failed = true
				}
			}
			if _, err := w.step(); err != nil {
				t.Fatal(err)
			}
			replicas := replicasOf(w.deployment)
			live := count(w.pods, func(p *corev1.Pod) bool { return !isTerminating(p) && !isFailed(p) })
			if live > replicas+surge {
				t.Fatalf("%d pods for %d replicas:\n%s", live, replicas, w)
			}
			if now := count(w.pods, serves); !failed && now < min(serving, replicas) {
				t.Fatalf("%d serve, %d did before:\n%s", now, serving, w)
			}
		}
		settle()
		if d := Observe(w.deployment, w.pods); !Complete(d) {
			t.Fatalf("settled, but not complete: %+v\n%s", d.Status, w)
		}
	})
}

func serves(p *corev1.Pod) bool { return isReady(p) && !isTerminating(p) }

func count(pods []*corev1.Pod, is func(*corev1.Pod) bool) int {
	n := 0
	for _, pod := range pods {
		if is(pod) {
			n++
		}
	}
	return n
}
