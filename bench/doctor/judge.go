package doctor

import (
	"fmt"
	"strings"
	"time"
)

// Level is how well it stands with something.
type Level string

// The levels.
const (
	OK Level = "ok"
	// Warn: runs are possible, and their results bear a mark of it.
	Warn Level = "warn"
	// Bad: runs are impossible.
	Bad Level = "bad"
)

// Finding is one thing that was looked at.
type Finding struct {
	Name  string `json:"name"`
	Level Level  `json:"level"`
	Value string `json:"value"`
	// Means says on one line what that means for results.
	Means string `json:"means"`
}

// Bounds. They are what runs were seen to need; those of others name their
// source.
const (
	coresOwn    = 8
	coresShared = 4

	// memoryMin is less than a platform in one process with its load takes;
	// memoryWanted is what a whole stack is held to, 1.5 GB idle, with room.
	memoryMin    = 512 << 20
	memoryWanted = 2 << 30

	// busyMax, stolenMax and pressureMax are where a measurement starts to be
	// one of something else as well.
	busyMax     = 0.10
	stolenMax   = 0.01
	pressureMax = 5.0

	// syncMax: etcd wants 99 % of the syncs of its log within 10 ms
	// (etcd.io/docs, "Hardware recommendations" and its FAQ).
	syncMax = 10 * time.Millisecond
	// syncReal is less than any device takes to keep a block for good: flash
	// without a battery takes some hundred microseconds.
	syncReal = 20 * time.Microsecond

	freeMin    = 768 << 20
	freeWanted = 2 << 30

	// portsMin is what the largest platform with several deploys needs.
	portsMin    = 2000
	portsWanted = 0.8

	filesMin    = 1024
	filesWanted = 8192

	ephemeralWanted = 10_000
	listenWanted    = 1024
)

// Judge says what facts mean. It is pure.
func Judge(f Facts) []Finding {
	all := []Finding{judgeCores(f), judgeMemory(f)}
	all = append(all, judgeOthers(f)...)
	for _, d := range f.Disks {
		all = append(all, judgeDisk(d)...)
	}
	all = append(all, judgePorts(f.Ports), judgeControl(f.Ports), judgeFiles(f), judgeEphemeral(f), judgeListen(f))
	all = append(all, judgeDocker(f.Docker)...)
	all = append(all, judgeGo(f))
	for _, tool := range f.Tools {
		all = append(all, judgeTool(tool))
	}
	return all
}

// Impossible lists what makes runs impossible.
func Impossible(findings []Finding) []string {
	var names []string
	for _, f := range findings {
		if f.Level == Bad {
			names = append(names, f.Name+": "+f.Means)
		}
	}
	return names
}

// unknown is a finding that this system does not allow.
func unknown(name, means string) Finding {
	return Finding{name, Warn, "not told", means}
}

func judgeCores(f Facts) Finding {
	value := fmt.Sprint(f.UsableCores)
	if f.UsableCores < f.Cores {
		value = fmt.Sprintf("%d of %d", f.UsableCores, f.Cores)
	}
	switch {
	case f.UsableCores >= coresOwn:
		return Finding{"cores", OK, value, "the load generator can have cores of its own: send delay is held to 1 ms"}
	case f.UsableCores >= coresShared:
		return Finding{"cores", OK, value, "load and platform share them: send delay is held to 5 ms; compare arms within a run"}
	case f.UsableCores > 1:
		return Finding{"cores", Warn, value, "load and platform compete for them: keep to some 500/s; figures are of this machine, ranks and ratios travel"}
	}
	return Finding{"cores", Warn, value, "everything takes turns: outages show, latencies mean nothing"}
}

func judgeMemory(f Facts) Finding {
	const name = "memory"
	if f.MemoryBytes == nil || f.AvailableBytes == nil {
		return unknown(name, "have 2 GiB free before a run")
	}
	value := fmt.Sprintf("%s of %s available", gib(*f.AvailableBytes), gib(*f.MemoryBytes))
	switch {
	case *f.AvailableBytes < memoryMin:
		return Finding{name, Bad, value, "a platform and its load do not fit; free " + gib(memoryMin) + " at least"}
	case *f.AvailableBytes < memoryWanted:
		return Finding{name, Warn, value, "one process for all (topology single) fits; a stack of containers may not"}
	}
	return Finding{name, OK, value, "every topology fits"}
}

// judgeOthers judges what else the machine is doing.
func judgeOthers(f Facts) []Finding {
	var all []Finding
	if f.Load1 == nil {
		all = append(all, unknown("load average", "see to it that nothing else runs"))
	} else if value := fmt.Sprintf("%.2f", *f.Load1); *f.Load1 > float64(f.Cores)/2 {
		all = append(all, Finding{"load average", Warn, value, "others want much of the cores: wait until they are done"})
	} else {
		all = append(all, Finding{"load average", OK, value, "of the last minute; under half of the cores"})
	}
	all = append(all,
		judgeShare("busy with others", f.Busy, busyMax, "others take cores from a run: results will say so", "nobody else needs the cores"),
		judgeShare("steal", f.Stolen, stolenMax, "the host gives our cores to others: latencies are partly theirs; a run may be INVALID", "the host leaves us our cores"))
	if len(f.Pressures) == 0 {
		return append(all, unknown("pressure", "that tasks wait for cores, disk or memory stays unseen"))
	}
	for _, resource := range []string{"cpu", "io", "memory"} {
		percent, ok := f.Pressures[resource]
		if !ok {
			continue
		}
		value := fmt.Sprintf("%.1f %%", percent)
		if percent > pressureMax {
			all = append(all, Finding{"pressure " + resource, Warn, value, "of the last 10 s tasks waited for it: a run would too"})
		} else {
			all = append(all, Finding{"pressure " + resource, OK, value, "of the last 10 s did any task wait for it"})
		}
	}
	return all
}

func judgeShare(name string, share *float64, most float64, above, below string) Finding {
	if share == nil {
		return unknown(name, "watch it by other means")
	}
	value := fmt.Sprintf("%.1f %%", 100**share)
	if *share > most {
		return Finding{name, Warn, value, above}
	}
	return Finding{name, OK, value, below}
}

// judgeDisk judges a directory: whether it has room, and how soon it keeps what
// is written.
func judgeDisk(d Disk) []Finding {
	room, sync := "room in "+d.Dir, "fsync in "+d.Dir
	level, other := Bad, "TMPDIR"
	if !d.Needed {
		level, other = Warn, "--out"
	}
	if d.Error != "" {
		return []Finding{{room, level, "none", "it cannot be written, choose another (" + other + "): " + d.Error}}
	}
	free := Finding{room, OK, gib(d.FreeBytes) + " free", "a run takes some 0.3 GiB while it lasts and keeps 10 MiB"}
	switch {
	case d.FreeBytes < freeMin:
		free.Level, free.Means = level, "a run does not fit; free "+gib(freeMin)+" at least, or choose another directory ("+other+")"
	case d.FreeBytes < freeWanted:
		free.Level, free.Means = Warn, "one run fits; many, or a stack with its images, may not"
	}
	return []Finding{free, judgeSync(sync, d)}
}

func judgeSync(name string, d Disk) Finding {
	if d.Syncs == 0 {
		return Finding{name, Warn, "not measured", "the disk did not keep a single block in time: payments will wait for it"}
	}
	tail, of := d.P99, "p99"
	if tail == 0 {
		tail, of = d.Max, "max"
	}
	value := fmt.Sprintf("p50 %s, %s %s (%d)", ms(d.P50), of, ms(tail), d.Syncs)
	switch {
	case d.P50 < syncReal:
		return Finding{name, Warn, value, "too fast for a disk: memory, or syncs are not kept; durability costs nothing here and will elsewhere"}
	case tail > syncMax:
		return Finding{name, Warn, value, "each payment waits for a sync, and etcd wants 99 % within 10 ms: it limits rate and latency"}
	}
	return Finding{name, OK, value, "what each payment waits for at least; group commit shares it"}
}

func judgePorts(p Ports) Finding {
	name := fmt.Sprintf("ports %d–%d", p.Range[0], p.Range[1])
	if p.Tried == 0 {
		return Finding{name, Bad, "none could be tried", "nothing can listen on 127.0.0.1"}
	}
	free := float64(p.Tried-p.Taken) / float64(p.Tried)
	value := fmt.Sprintf("%.0f %% free of %d tried", 100*free, p.Tried)
	switch estimate := free * float64(p.Range[1]-p.Range[0]+1); {
	case estimate < portsMin:
		return Finding{name, Bad, value, "a platform needs some " + fmt.Sprint(portsMin) + " of them, since each new instance gets a port of its own"}
	case free < portsWanted:
		return Finding{name, Warn, value, "enough for a run; is another still up?"}
	}
	return Finding{name, OK, value, "each new instance gets a port of its own"}
}

func judgeControl(p Ports) Finding {
	if p.ControlTaken {
		return Finding{"control API", Warn, p.Control + " is taken", "a stack is up already ('breakbank ctl get'), or 'breakbank up' needs another --admin"}
	}
	return Finding{"control API", OK, p.Control + " is free", "'breakbank up' and 'docker compose up' can have it"}
}

func judgeFiles(f Facts) Finding {
	value := fmt.Sprint(f.FilesMax)
	switch {
	case f.FilesMax < filesMin:
		return Finding{"open files", Bad, value, "a platform in one process needs more: raise 'ulimit -n' to " + fmt.Sprint(filesWanted)}
	case f.FilesMax < filesWanted:
		return Finding{"open files", Warn, value, "enough at some 500/s; raise 'ulimit -n' for more, or for long outages, in which connections pile up"}
	}
	return Finding{"open files", OK, value, "no outage of ours uses them up"}
}

func judgeEphemeral(f Facts) Finding {
	const name = "ports of callers"
	if f.Ephemeral == nil {
		return unknown(name, "they must lie above "+fmt.Sprint(f.Ports.Range[1]))
	}
	low, high := f.Ephemeral[0], f.Ephemeral[1]
	value := fmt.Sprintf("%d–%d", low, high)
	switch {
	case low <= f.Ports.Range[1] && high >= f.Ports.Range[0]:
		return Finding{name, Warn, value, "they overlap with those of servers: a call to a dead port may reach its own caller (ip_local_port_range)"}
	case high-low+1 < ephemeralWanted:
		return Finding{name, Warn, value, "few: callers that open a connection a call run out of them (ip_local_port_range)"}
	}
	return Finding{name, OK, value, "apart from those of servers, and enough"}
}

func judgeListen(f Facts) Finding {
	const name = "listen queue"
	switch {
	case f.ListenQueue == nil:
		return unknown(name, "bursts of new connections may be refused unseen")
	case *f.ListenQueue < listenWanted:
		return Finding{name, Warn, fmt.Sprint(*f.ListenQueue), "a burst of new connections after an outage overflows it (net.core.somaxconn)"}
	}
	return Finding{name, OK, fmt.Sprint(*f.ListenQueue), "takes the burst of connections after an outage"}
}

func judgeDocker(d Docker) []Finding {
	const without = "no containers; topologies single and processes need none"
	switch {
	case d.Client == "":
		return []Finding{{"docker", Warn, "not installed", without}}
	case d.Server == "":
		return []Finding{{"docker", Warn, "client " + d.Client + ", no daemon", "start it, or: " + without + reason(d.Error)}}
	}
	docker := Finding{"docker", OK, fmt.Sprintf("client %s, daemon %s", d.Client, d.Server), "containers can be had"}
	if d.Compose == "" {
		return []Finding{docker, {"docker compose", Warn, "not installed", "the stack cannot be brought up; install Compose v2 or docker-compose"}}
	}
	return []Finding{docker, {"docker compose", OK, d.Compose, "'" + d.ComposeCommand + " up' brings the stack up"}}
}

func reason(text string) string {
	if text == "" {
		return ""
	}
	return " (" + text + ")"
}

func judgeGo(f Facts) Finding {
	if f.GoTool == "" {
		return Finding{"go", Warn, "not installed", "this program (built with " + f.Go + ") needs none; building and testing it does"}
	}
	return Finding{"go", OK, f.GoTool, "builds and tests breakbank"}
}

func judgeTool(t Tool) Finding {
	switch {
	case t.Path == "":
		return Finding{t.Name, Warn, "not installed", "left out of " + t.For}
	case t.Version == "":
		return Finding{t.Name, OK, "version unknown", "for " + t.For}
	}
	return Finding{t.Name, OK, t.Version, "for " + t.For}
}

func gib(bytes int64) string { return fmt.Sprintf("%.1f GiB", float64(bytes)/(1<<30)) }

func ms(d time.Duration) string {
	text := fmt.Sprintf("%.2f", float64(d)/float64(time.Millisecond))
	return strings.TrimSuffix(strings.TrimSuffix(text, "0"), ".0") + " ms"
}
