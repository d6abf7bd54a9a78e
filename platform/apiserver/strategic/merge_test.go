package strategic

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"pgregory.net/rapid"
)

// compact is JSON as Go writes it, its keys in order.
func compact(t interface{ Fatal(...any) }, text []byte, as func(any) any) string {
	var v any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(as(v))
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// meant leaves out the nulls and directives that Kubernetes leaves in elements
// that are new: to a type they say nothing.
func meant(v any) any {
	switch v := v.(type) {
	case object:
		maps.DeleteFunc(v, func(name string, inner any) bool { return strings.HasPrefix(name, "$") || meant(inner) == nil })
	case []any:
		for _, inner := range v {
			meant(inner)
		}
	}
	return v
}

func TestMerge(t *testing.T) {
	const containers = `{"spec":{"containers":[{"name":"a","image":"1"},{"name":"b","image":"1"},{"name":"c","image":"1"}]}}`
	for _, c := range []struct{ name, current, patch, want string }{
		{
			"fields", `{"metadata":{"name":"x","labels":{"a":"1","b":"2"}}}`, `{"metadata":{"labels":{"a":null,"c":"3"}}}`,
			`{"metadata":{"labels":{"b":"2","c":"3"},"name":"x"}}`,
		},
		{
			"an image, as kubectl sets it", containers, `{"spec":{"$setElementOrder/containers":[{"name":"a"},{"name":"b"},{"name":"c"}],"containers":[{"image":"2","name":"b"}]}}`,
			`{"spec":{"containers":[{"image":"1","name":"a"},{"image":"2","name":"b"},{"image":"1","name":"c"}]}}`,
		},
		{
			"an element more", containers, `{"spec":{"containers":[{"name":"d"}]}}`,
			`{"spec":{"containers":[{"name":"d"},{"image":"1","name":"a"},{"image":"1","name":"b"},{"image":"1","name":"c"}]}}`,
		},
		{
			"an element less", containers, `{"spec":{"containers":[{"$patch":"delete","name":"b"}]}}`,
			`{"spec":{"containers":[{"image":"1","name":"a"},{"image":"1","name":"c"}]}}`,
		},
		{
			"another order, around one that the writer does not know", containers, `{"spec":{"$setElementOrder/containers":[{"name":"c"},{"name":"a"}]}}`,
			`{"spec":{"containers":[{"image":"1","name":"b"},{"image":"1","name":"c"},{"image":"1","name":"a"}]}}`,
		},
		{"a list replaced", containers, `{"spec":{"containers":[{"$patch":"replace"},{"name":"z"}]}}`, `{"spec":{"containers":[{"name":"z"}]}}`},
		{"an atomic list", `{"spec":{"tolerations":[{"key":"a"},{"key":"b"}]}}`, `{"spec":{"tolerations":[{"key":"c"}]}}`, `{"spec":{"tolerations":[{"key":"c"}]}}`},
		{
			"scalars", `{"metadata":{"finalizers":["a","b"]}}`, `{"metadata":{"$deleteFromPrimitiveList/finalizers":["a"],"$setElementOrder/finalizers":["c","b"],"finalizers":["c"]}}`,
			`{"metadata":{"finalizers":["c","b"]}}`,
		},
		{
			"another kind of volume", `{"spec":{"volumes":[{"name":"v","emptyDir":{}}]}}`, `{"spec":{"volumes":[{"$retainKeys":["name","secret"],"name":"v","secret":{"secretName":"s"}}]}}`,
			`{"spec":{"volumes":[{"name":"v","secret":{"secretName":"s"}}]}}`,
		},
		{"an object replaced", `{"metadata":{"labels":{"a":"1"}}}`, `{"metadata":{"labels":{"$patch":"replace","b":"2"}}}`, `{"metadata":{"labels":{"b":"2"}}}`},
		{"an object emptied", `{"metadata":{"labels":{"a":"1"}}}`, `{"metadata":{"labels":{"$patch":"delete"}}}`, `{"metadata":{"labels":{}}}`},
		{"a large number", `{"metadata":{"generation":1}}`, `{"metadata":{"generation":9007199254740993}}`, `{"metadata":{"generation":9007199254740993}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Merge([]byte(c.current), []byte(c.patch), &corev1.Pod{})
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != c.want {
				t.Errorf("it is\n%s, not\n%s", got, c.want)
			}
			theirs, err := strategicpatch.StrategicMergePatch([]byte(c.current), []byte(c.patch), &corev1.Pod{})
			if err != nil {
				t.Fatal(err)
			}
			if compact(t, theirs, meant) != c.want {
				t.Errorf("Kubernetes' is %s", theirs)
			}
		})
	}
}

func TestMergeRefuses(t *testing.T) {
	for _, c := range []struct{ name, patch string }{
		{"text", `text`},
		{"a list", `[]`},
		{"an unknown directive", `{"$patch":"merge"}`},
		{"an unknown directive of an element", `{"spec":{"containers":[{"$patch":"merge","name":"a"}]}}`},
		{"an element without a name", `{"spec":{"containers":[{"image":"2"}]}}`},
		{"an element that is no object", `{"spec":{"containers":["a"]}}`},
		{"a field that the list of fields to keep lacks", `{"spec":{"$retainKeys":["containers"],"hostNetwork":true}}`},
		{"fields to keep that are no list", `{"spec":{"$retainKeys":"containers"}}`},
		{"an order that is none", `{"spec":{"$setElementOrder/containers":"a"}}`},
		{"another order than it says", `{"spec":{"$setElementOrder/containers":[{"name":"b"},{"name":"a"}],"containers":[{"name":"a"},{"name":"b"}]}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			current := []byte(`{"spec":{"containers":[{"name":"a"},{"name":"b"}]}}`)
			if got, err := Merge(current, []byte(c.patch), &corev1.Pod{}); err == nil {
				t.Errorf("it makes %s", got)
			}
			if _, err := strategicpatch.StrategicMergePatch(current, []byte(c.patch), &corev1.Pod{}); err == nil {
				t.Error("Kubernetes takes it")
			}
		})
	}
}

// pods draws pods with few names, so that two of them have much in common, and
// with at least so many containers and volumes, at most 5.
func pods(least int) *rapid.Generator[*corev1.Pod] {
	name := rapid.SampledFrom([]string{"a", "b", "c", "d", "e"})
	value := rapid.SampledFrom([]string{"", "1", "2"})
	return rapid.Custom(func(t *rapid.T) *corev1.Pod {
		some := func(what string, least int) []string {
			return rapid.SliceOfNDistinct(name, least, 5, rapid.ID).Draw(t, what)
		}
		names := func(what string) []string { return some(what, 0) }
		var p corev1.Pod
		p.Name = "p"
		p.Finalizers = names("finalizers")
		p.Labels = maps.Collect(func(yield func(string, string) bool) {
			for _, n := range names("labels") {
				if !yield(n, value.Draw(t, "label")) {
					return
				}
			}
		})
		for _, n := range some("containers", max(1, least)) {
			c := corev1.Container{Name: n, Image: value.Draw(t, "image"), Args: names("args")}
			for i, e := range names("env") {
				c.Env = append(c.Env, corev1.EnvVar{Name: e, Value: value.Draw(t, "env")})
				c.Ports = append(c.Ports, corev1.ContainerPort{ContainerPort: int32(8000 + i + len(e)), Name: value.Draw(t, "port")})
			}
			p.Spec.Containers = append(p.Spec.Containers, c)
		}
		for _, n := range some("volumes", least) {
			v := corev1.Volume{Name: n}
			if rapid.Bool().Draw(t, "secret") {
				v.Secret = &corev1.SecretVolumeSource{SecretName: value.Draw(t, "secret")}
			} else {
				v.EmptyDir = &corev1.EmptyDirVolumeSource{Medium: corev1.StorageMedium(value.Draw(t, "medium"))}
			}
			p.Spec.Volumes = append(p.Spec.Volumes, v)
		}
		for _, n := range names("tolerations") {
			p.Spec.Tolerations = append(p.Spec.Tolerations, corev1.Toleration{Key: n})
		}
		return &p
	})
}

// TestMergeIsKubernetes applies patches that Kubernetes makes, to what they were
// made for and to what has changed since.
func TestMergeIsKubernetes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		encode := func(what string, least int) []byte {
			text, err := json.Marshal(pods(least).Draw(t, what))
			if err != nil {
				t.Fatal(err)
			}
			return text
		}
		was, wanted := encode("was", 0), encode("wanted", 0)
		// With all containers there can be: of one that is new, Kubernetes takes
		// what it is told to delete from it for what is to be in it.
		since := encode("since", 5)
		patch, err := strategicpatch.CreateTwoWayMergePatch(was, wanted, &corev1.Pod{})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			current []byte
			compare func(any) any
		}{
			{was, meant},
			// Where elements go of which the writer of the patch knew nothing is
			// best effort, and Kubernetes' overwrites the order it goes by.
			{since, func(v any) any { return sorted(meant(v)) }},
		} {
			theirs, err := strategicpatch.StrategicMergePatch(c.current, patch, &corev1.Pod{})
			if err != nil {
				t.Fatal(err)
			}
			ours, err := Merge(c.current, patch, &corev1.Pod{})
			if err != nil {
				t.Fatalf("%v: of %s with %s", err, c.current, patch)
			}
			if a, b := compact(t, ours, c.compare), compact(t, theirs, c.compare); a != b {
				t.Fatalf("of %s\nwith %s:\nours   %s\ntheirs %s", c.current, patch, a, b)
			}
		}
	})
}

// sorted puts all lists in order.
func sorted(v any) any {
	switch v := v.(type) {
	case object:
		for _, inner := range v {
			sorted(inner)
		}
	case []any:
		for _, inner := range v {
			sorted(inner)
		}
		slices.SortFunc(v, func(a, b any) int { return cmp.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	}
	return v
}

// TestMergeLeavesWhatItIsGiven holds it to being pure.
func TestMergeLeavesWhatItIsGiven(t *testing.T) {
	was := object{"spec": object{"containers": []any{object{"name": "a"}, object{"name": "b"}}}}
	change := object{"spec": object{"containers": []any{object{"name": "b", "image": "2"}, object{"name": "a", howKey: howDelete}}}}
	before, err := json.Marshal([]any{was, change})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := mergeObjects(was, change, reflect.TypeFor[*corev1.Pod]()); err != nil {
		t.Fatal(err)
	}
	after, err := json.Marshal([]any{was, change})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(before, after) {
		t.Errorf("it was\n%s, it is\n%s", before, strings.TrimSpace(string(after)))
	}
}
