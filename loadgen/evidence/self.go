package evidence

import (
	"fmt"
	"math"
	"runtime"
	"runtime/metrics"
	"sync"
	"syscall"
	"time"
)

// selfInterval is how often the generator looks at itself. A second is long
// enough for the processor time, which the kernel counts by its ticks.
const selfInterval = time.Second

// Self is what the generator's own process cost while it was watched, and how
// hard it was for it to get a processor.
type Self struct {
	WallS float64
	// CPUS is user and system time; Processors how many the process may use at
	// once (GOMAXPROCS, which minds affinity and the cgroup's quota), and
	// CPUShare the share it used of those, 0 to 1.
	CPUS       float64
	Processors int
	CPUShare   float64
	// PeakCPUShare is the share in the worst second.
	PeakCPUShare float64
	// WaitedS is how long the process's threads were ready to run and had to
	// wait, all together; 0 where the kernel does not tell.
	WaitedS float64
	// UsableShare is the share of what others left to it: a process that uses
	// half of a processor and spends the other half waiting for it has used all
	// it could.
	//
	//	CPUS / (WallS × Processors - WaitedS)
	UsableShare float64
	// GCPauseMaxMs is the longest time for which the collector stopped all
	// goroutines: the upper edge of the runtime's bucket, so never too low.
	GCPauseMaxMs float64
	GCPauses     uint64
	// HeapMaxBytes is the most memory that objects took at any sample.
	HeapMaxBytes uint64
	// PressureShare is the share of the time in which some task of the machine
	// waited for a processor; PressureKnown is false where the kernel does not
	// tell.
	PressureShare float64
	PressureKnown bool
}

// Names of the runtime's metrics.
const (
	gcPausesMetric = "/sched/pauses/total/gc:seconds"
	heapMetric     = "/memory/classes/heap/objects:bytes"
)

// SelfWatch samples this process until stopped.
type SelfWatch struct {
	stop    chan struct{}
	stopped sync.WaitGroup

	start       time.Time
	startCPU    time.Duration
	startWaited time.Duration
	processors  int
	pauses      []uint64 // the histogram's counts at the start
	stalled     time.Duration
	stalledOK   bool
	last        Self // owned by the sampling goroutine until stopped
}

// WatchSelf starts to watch this process. Stop must be called.
func WatchSelf() (*SelfWatch, error) {
	cpu, err := cpuTime()
	if err != nil {
		return nil, err
	}
	w := &SelfWatch{
		stop: make(chan struct{}), start: time.Now(), startCPU: cpu,
		startWaited: waitedTime(), processors: runtime.GOMAXPROCS(0), pauses: gcPauses().Counts,
	}
	w.stalled, w.stalledOK = Stalled()
	w.stopped.Go(w.sample)
	return w, nil
}

// Stop ends the watch and says what it saw.
func (w *SelfWatch) Stop() (Self, error) {
	close(w.stop)
	w.stopped.Wait()
	cpu, err := cpuTime()
	if err != nil {
		return Self{}, err
	}
	self := w.last
	self.WallS = time.Since(w.start).Seconds()
	self.CPUS = (cpu - w.startCPU).Seconds()
	self.Processors = w.processors
	self.CPUShare = share(self.CPUS, self.WallS, w.processors)
	self.PeakCPUShare = max(self.PeakCPUShare, self.CPUShare)
	self.WaitedS = max(0, (waitedTime() - w.startWaited).Seconds())
	self.UsableShare = usableShare(self.CPUS, self.WaitedS, self.WallS*float64(w.processors))
	if stalled, ok := Stalled(); ok && w.stalledOK && self.WallS > 0 {
		self.PressureKnown, self.PressureShare = true, min(1, (stalled-w.stalled).Seconds()/self.WallS)
	}
	self.GCPauses, self.GCPauseMaxMs = pausesSince(w.pauses, gcPauses())
	self.HeapMaxBytes = max(self.HeapMaxBytes, heapBytes())
	return self, nil
}

// sample notes what only shows while it lasts: the worst second, the heap.
func (w *SelfWatch) sample() {
	ticks := time.NewTicker(selfInterval)
	defer ticks.Stop()
	at, before := w.start, w.startCPU
	for {
		select {
		case <-w.stop:
			return
		case <-ticks.C:
		}
		now := time.Now()
		if cpu, err := cpuTime(); err == nil {
			w.last.PeakCPUShare = max(w.last.PeakCPUShare, share((cpu-before).Seconds(), now.Sub(at).Seconds(), w.processors))
			at, before = now, cpu
		}
		w.last.HeapMaxBytes = max(w.last.HeapMaxBytes, heapBytes())
	}
}

func share(cpuS, wallS float64, processors int) float64 {
	if wallS <= 0 {
		return 0
	}
	return cpuS / wallS / float64(processors)
}

// usableShare is the share used of the processor time that was left to use. Of
// several threads that wait at once each counts, though one processor would have
// served them one after the other: hence never less was left than was used.
func usableShare(cpuS, waitedS, allS float64) float64 {
	if cpuS <= 0 {
		return 0
	}
	return cpuS / max(cpuS, allS-waitedS)
}

// cpuTime is the processor time of this process so far.
func cpuTime() (time.Duration, error) {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0, fmt.Errorf("read this process's processor time: %w", err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()), nil
}

// gcPauses is the runtime's histogram of collection pauses since the process
// began, in seconds.
func gcPauses() *metrics.Float64Histogram {
	sample := []metrics.Sample{{Name: gcPausesMetric}}
	metrics.Read(sample)
	return sample[0].Value.Float64Histogram()
}

func heapBytes() uint64 {
	sample := []metrics.Sample{{Name: heapMetric}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// pausesSince counts the pauses that came after before was taken, and gives the
// upper edge of the highest bucket among them.
func pausesSince(before []uint64, now *metrics.Float64Histogram) (pauses uint64, longestMs float64) {
	for i, count := range now.Counts {
		if i < len(before) {
			count -= before[i]
		}
		if count == 0 {
			continue
		}
		pauses += count
		edge := now.Buckets[i+1]
		if math.IsInf(edge, 1) {
			edge = now.Buckets[i]
		}
		longestMs = edge * 1e3
	}
	return pauses, longestMs
}
