package apiserver

import (
	"log/slog"
	"testing"

	"breakbank/platform/apiserver/client"
	"breakbank/platform/registry"
)

// A record that is no object is not there, for a list as for the cache; what
// it took the place of is gone.
func TestARecordThatIsNoObjectIsNotThere(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	ctx := t.Context()
	put := func(name, value string) {
		t.Helper()
		if _, err := b.etcd.Put(ctx, "/registry/configmaps/default/"+name, value); err != nil {
			t.Fatal(err)
		}
	}
	b.create("configmaps", configMapOf("good", "1"))
	b.create("configmaps", configMapOf("spoilt", "1"))
	put("bad", "no JSON")
	s, base := b.start(nil, nil)
	defer b.close(s)
	b.waitReady(s)
	c := b.client(base)
	listed := func(want int) {
		t.Helper()
		for _, version := range []string{"", "0"} {
			if list, err := c.List(ctx, "configmaps", version); err != nil || len(list.Items) != want {
				t.Errorf("list at %q: %d items, %v, want %d", version, len(list.Items), err, want)
			}
		}
	}
	listed(2)
	w, err := c.Watch(ctx, "configmaps", s.CacheRevision("configmaps"))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	put("bad", "still no JSON")
	put("spoilt", "no JSON")
	ev := next(t, w)
	object := string(ev.Object)
	if ev.Type != client.Deleted || ev.ResourceVersion <= 0 {
		t.Errorf("event %s %s", ev.Type, object)
	}
	listed(1)
	put("spoilt", `{"metadata":{"name":"spoilt"}}`)
	if again := next(t, w); again.Type != client.Added || again.ResourceVersion <= ev.ResourceVersion {
		t.Errorf("mended: %s at %d after %d", again.Type, again.ResourceVersion, ev.ResourceVersion)
	}
	listed(2)
}

// The value before a deletion may be one that nobody can read, or compacted
// away. The object goes all the same.
func TestADeletionNeedsNoPreviousValue(t *testing.T) {
	for name, previous := range map[string]string{"unreadable": "no JSON", "compacted": ""} {
		t.Run(name, func(t *testing.T) {
			k := &kindServer{cache: newCache(), log: slog.New(slog.DiscardHandler)}
			before, err := newEntry(registry.Raw{Name: "a", Revision: 3, JSON: []byte(`{"metadata":{"name":"a","labels":{"app":"a"}}}`)})
			if err != nil {
				t.Fatal(err)
			}
			k.cache.replace([]entry{before}, 3)
			_, w, err := k.cache.subscribe(3)
			if err != nil {
				t.Fatal(err)
			}
			k.apply(registry.Event{Type: registry.Delete, Revision: 5, Raw: registry.Raw{Name: "a", Revision: 5, JSON: []byte(previous)}})
			select {
			case ev := <-w.events:
				if want := `{"metadata":{"resourceVersion":"5","name":"a","labels":{"app":"a"}}}`; ev.kind != deleted || ev.revision != 5 || string(ev.object.json) != want || ev.object.labels["app"] != "a" {
					t.Errorf("watchers hear %+v of %s", ev, ev.object.json)
				}
			default:
				t.Error("watchers hear nothing")
			}
			if _, exists, _ := k.cache.get("a"); exists {
				t.Error("it is still cached")
			}
		})
	}
}
