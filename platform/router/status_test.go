package router

import (
	"log/slog"
	"reflect"
	"testing"

	"breakbank/platform/router/discovery"
)

// TestTableIsCopiedOnceAVersion: whoever looks often pays for changes only, and
// misses none.
func TestTableIsCopiedOnceAVersion(t *testing.T) {
	newRouter := func() *Router {
		r, err := New(Options{APIServers: []string{"http://nowhere.invalid"}, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		r.table.plane = nowhere{}
		return r
	}
	r := newRouter()
	apply := func(change discovery.Publish) Status {
		r.table.apply([]discovery.Publish{change}, discovery.State{Basis: discovery.FromSource})
		return r.Status()
	}
	entry := func(addrs ...string) discovery.Publish {
		e := discovery.Entry{Service: "echo"}
		for _, a := range addrs {
			e.Endpoints = append(e.Endpoints, discovery.Endpoint{Addr: a})
		}
		return discovery.Publish{Entries: []discovery.Entry{e}}
	}
	empty := r.Status()
	first := apply(entry("h:2", "h:1"))
	again := r.Status()
	if first.TableVersion == empty.TableVersion || again.TableVersion != first.TableVersion {
		t.Errorf("versions %d, %d, %d", empty.TableVersion, first.TableVersion, again.TableVersion)
	}
	if reflect.ValueOf(first.Table).Pointer() != reflect.ValueOf(again.Table).Pointer() {
		t.Error("a table that has not changed is copied again")
	}
	second := apply(entry("h:3"))
	if want := []string{"h:1", "h:2"}; !reflect.DeepEqual(first.Table["echo"], want) {
		t.Errorf("the copy before the change has become %v", first.Table["echo"])
	}
	if want := []string{"h:3"}; !reflect.DeepEqual(second.Table["echo"], want) || second.TableVersion == first.TableVersion {
		t.Errorf("the copy after the change is %v at version %d", second.Table["echo"], second.TableVersion)
	}
	if gone := apply(discovery.Publish{Removed: []string{"echo"}}); len(gone.Table) != 0 || gone.Names != 0 {
		t.Errorf("what was removed is there: %v", gone.Table)
	}
	if other := newRouter().Status(); other.TableVersion == r.Status().TableVersion {
		t.Error("two routers share a version")
	}
	if allocations := testing.AllocsPerRun(100, func() { r.Status() }); allocations > 2 {
		t.Errorf("a look costs %v allocations", allocations)
	}
}
