package fault

import (
	"context"
	"testing"
)

func TestWhatIsMomentaryMayHappenAgain(t *testing.T) {
	v := newVictims(t)
	ctx, cancel := context.WithTimeout(context.Background(), testLimit)
	defer cancel()
	i := NewInjector(v)
	for range 2 {
		again, err := i.Inject(ctx, "apiserver-restart", scenes["apiserver-restart"].target, nil)
		if err != nil {
			t.Fatal(err)
		}
		if !again.Momentary {
			t.Errorf("injected as %+v", again)
		}
	}
	if _, err := i.Clear(ctx, "apiserver-restart", ""); err != nil {
		t.Fatal(err)
	}
	for _, f := range i.List() {
		if f.ClearedAt.IsZero() || f.Proof.Count == 0 {
			t.Errorf("cleared as %+v", f)
		}
	}
}
