package replay

import (
	"bufio"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"breakbank/bench/result"
)

func durationS(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// environment says what the run ran on. What a system does not tell stays
// empty.
func environment(opts Options, zero time.Time) result.Environment {
	return result.Environment{
		Machine: cpuModel(), OS: runtime.GOOS, Arch: runtime.GOARCH, Kernel: kernel(),
		Cores: runtime.NumCPU(), MemoryGiB: memoryGiB(), Go: runtime.Version(), Commit: opts.Commit,
		StartedUTC: zero.UTC().Format(time.RFC3339), Flags: opts.Flags,
	}
}

func kernel() string {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return ""
	}
	return unix.ByteSliceToString(name.Sysname[:]) + " " + unix.ByteSliceToString(name.Release[:])
}

// cpuModel is the processor's name, where /proc tells it.
func cpuModel() string {
	_, model, _ := strings.Cut(procLine("/proc/cpuinfo", "model name"), ":")
	return strings.TrimSpace(model)
}

// memoryGiB is the machine's memory, 0 where /proc does not tell it.
func memoryGiB() float64 {
	fields := strings.Fields(procLine("/proc/meminfo", "MemTotal:"))
	if len(fields) < 2 {
		return 0
	}
	kib, err := strconv.ParseFloat(fields[1], 64)
	if err != nil {
		return 0
	}
	return kib / (1 << 20)
}

// procLine is the first line of a file that begins so, or empty.
func procLine(path, prefix string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), prefix) {
			return lines.Text()
		}
	}
	return ""
}

// machineWatch compares the machine's time at two moments.
type machineWatch struct{ stolen, all float64 }

func watchMachine() machineWatch {
	stolen, all := machineTime()
	return machineWatch{stolen, all}
}

// steal is the share of the machine's time since then that its host gave to
// others, 0 where that is not told.
func (w machineWatch) steal() float64 {
	stolen, all := machineTime()
	if all <= w.all {
		return 0
	}
	return (stolen - w.stolen) / (all - w.all)
}

// machineTime reads the first line of /proc/stat, in ticks: user, nice, system,
// idle, iowait, irq, softirq, steal (proc(5)).
func machineTime() (stolen, all float64) {
	const stealField, fields = 8, 9
	words := strings.Fields(procLine("/proc/stat", "cpu "))
	if len(words) < fields {
		return 0, 0
	}
	for i, word := range words[1:fields] {
		ticks, err := strconv.ParseFloat(word, 64)
		if err != nil {
			return 0, 0
		}
		all += ticks
		if i+1 == stealField {
			stolen = ticks
		}
	}
	return stolen, all
}
