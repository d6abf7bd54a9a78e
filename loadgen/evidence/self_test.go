package evidence_test

import (
	"runtime"
	"testing"
	"time"

	"breakbank/loadgen/evidence"
)

func TestWatchSelf(t *testing.T) {
	w, err := evidence.WatchSelf()
	if err != nil {
		t.Fatal(err)
	}
	for began := time.Now(); time.Since(began) < 50*time.Millisecond; {
		runtime.GC()
	}
	self, err := w.Stop()
	if err != nil {
		t.Fatal(err)
	}
	if self.CPUS <= 0 || self.WallS < 0.05 || self.CPUShare <= 0 || self.CPUShare > 1.2 || self.PeakCPUShare < self.CPUShare ||
		self.GCPauses == 0 || self.GCPauseMaxMs <= 0 || self.HeapMaxBytes == 0 ||
		self.UsableShare < min(1, self.CPUShare) || self.UsableShare > 1 ||
		self.WaitedS < 0 || self.PressureShare < 0 || self.PressureShare > 1 {
		t.Errorf("%+v", self)
	}
}
