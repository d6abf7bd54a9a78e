package router
import ("testing";"time";"context";"sync")
func TestZZ(t *testing.T) {
	registry := newRegistryStub(t)
	registry.set("echo", startWireBackend(t).instance())
	r, addr := startRouter(t, registry, "{strategy: p2c-ewma}")
	<-r.Ready()
	conns := []*wireCaller{dialWire(t, addr), dialWire(t, addr), dialWire(t, addr), dialWire(t, addr)}
	for i := -2; i < len(hostile); i++ {
		if i>=0 && i != 13 { continue }
		l := startLoad(t, conns, 16)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		pace := time.NewTicker(100*time.Millisecond)
		var bad sync.WaitGroup
		loop: for { select { case <-ctx.Done(): break loop; case <-pace.C: }
			if i >= 0 { bad.Go(func() { attack(ctx, addr, hostile[i].do) }) }
		}
		bad.Wait(); cancel()
		took, err := l.stop()
		name := "none"; if i >= 0 { name = hostile[i].name }
		t.Logf("%-30s n %d p50 %v p90 %v p99 %v %v", name, len(took), quantile(took,0.5), quantile(took,0.9), quantile(took,0.99), err)
	}
}
