package balance

import (
	"testing"

	"pgregory.net/rapid"
)

// A roster against a plain map: it knows everybody who was ever shown and has
// not gone, each at its place in the last list, and says so when that changes.
func TestRoster(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var r roster[int]
		model := map[string]int{} // a number of its own for each member
		given := 0
		all := testEndpoints(6)
		var last []Endpoint
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			version, order := r.version, r.order
			if rapid.IntRange(0, 3).Draw(t, "step") == 0 {
				id := rapid.SampledFrom(all).Draw(t, "gone").ID
				_, was := model[id]
				delete(model, id)
				r.forget(id)
				if was != (r.version != version) {
					t.Fatalf("forgot %s: known %v, version %d then %d", id, was, version, r.version)
				}
				if was {
					last = nil
				}
				continue
			}
			list := rapid.Permutation(all).Draw(t, "list")[:rapid.IntRange(1, len(all)).Draw(t, "n")]
			joined := false
			members := r.align(list)
			for i, e := range list {
				if _, ok := model[e.ID]; !ok {
					given++
					model[e.ID], members[i].know, joined = given, given, true
				}
				if m := members[i]; m.id != e.ID || m.index != i || m.know != model[e.ID] || r.get(e.ID) != m {
					t.Fatalf("%s is known as %+v, want number %d at %d", e.ID, m, model[e.ID], i)
				}
			}
			if joined != (r.version != version) {
				t.Fatalf("joined %v, version %d then %d", joined, version, r.version)
			}
			if same := sameIDs(list, last); same && r.order != order {
				t.Fatal("the same list counts as another")
			} else if !same && r.order == order {
				t.Fatal("another list counts as the same")
			}
			last = list
			for id, m := range r.byID {
				if _, ok := model[id]; !ok {
					t.Fatalf("%s has gone and is known", id)
				}
				if here := m.index >= 0; here != (indexOf(list, id) >= 0) {
					t.Fatalf("%s has index %d", id, m.index)
				}
			}
		}
	})
}

func sameIDs(a, b []Endpoint) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].ID != b[i].ID {
			return false
		}
	}
	return true
}

func indexOf(list []Endpoint, id string) int {
	for i := range list {
		if list[i].ID == id {
			return i
		}
	}
	return -1
}
