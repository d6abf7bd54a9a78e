// Package machine says what a measurement ran on, and whether the machine was
// there for it: how much of its time its host gave to others, and how much went
// to processes that have nothing to do with the measurement.
package machine

import (
	"bufio"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"breakbank/bench/result"
)

// Describe says what this machine and this program are, and that a measurement
// starts now. What a system does not tell stays empty.
func Describe(started time.Time, flags []string) result.Environment {
	return result.Environment{
		Machine: cpuModel(), OS: runtime.GOOS, Arch: runtime.GOARCH, Kernel: kernel(),
		Cores: runtime.NumCPU(), MemoryGiB: memoryGiB(), Go: runtime.Version(), Commit: commit(),
		StartedUTC: started.UTC().Format(time.RFC3339), Flags: flags,
	}
}

// commit is the version control revision this program was built from, if the
// build says so.
func commit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return ""
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
