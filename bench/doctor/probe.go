package doctor

import (
	"context"
	"runtime"
	"time"

	"breakbank/bench/machine"
	"breakbank/platform/ports"
)

// Options say where a run would write and listen.
type Options struct {
	// Data is where a platform keeps its data, Results where runs may write
	// theirs.
	Data    string
	Results []string
	// Control is the usual address of the control API.
	Control string
}

const (
	// probePatience bounds each probe.
	probePatience = 2 * time.Second
	// quiet is for how long we watch the machine while we do nothing.
	quiet = time.Second
)

// Probe finds out. It takes some seconds: what disturbs is done one after the
// other, so that no probe measures another. An error is that ctx ended.
func Probe(ctx context.Context, o Options) (Facts, error) {
	f := Facts{OS: runtime.GOOS, Cores: runtime.NumCPU(), UsableCores: runtime.GOMAXPROCS(0), Go: runtime.Version()}
	// First what the machine does without us.
	f.Busy, f.Stolen = watch(ctx)
	f.Load1, f.Pressures = loadAverage(), pressures()
	f.MemoryBytes, f.AvailableBytes = memory()
	data := probeDisk(ctx, o.Data)
	data.Needed = true
	f.Disks = append(f.Disks, data)
	for _, dir := range o.Results {
		f.Disks = append(f.Disks, probeDisk(ctx, dir))
	}
	f.Ports = probePorts(ctx, ports.Whole, o.Control)
	f.FilesMax = openFilesMax()
	f.Ephemeral, f.ListenQueue = ephemeralPorts(), listenQueue()
	f.Docker = probeDocker(ctx)
	f.Tools, f.GoTool = probeTools(ctx)
	return f, ctx.Err()
}

// watch says what share of the machine's time others used, and the host took,
// while this process does nothing.
func watch(ctx context.Context) (busy, stolen *float64) {
	before := machine.Now()
	if before.All == 0 {
		return nil, nil
	}
	wait := time.NewTimer(quiet)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-ctx.Done():
		return nil, nil
	}
	spent := machine.Now().Minus(before)
	others, steal := spent.Others(0), spent.Steal()
	return &others, &steal
}
