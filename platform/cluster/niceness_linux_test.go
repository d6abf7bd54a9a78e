package cluster

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
)

// lowered says that a process is the one whose priority the test lowers: it
// cannot be raised again.
const lowered = "BREAKBANK_TEST_LOWERED"

// Every thread yields afterwards, also those that other threads start
// meanwhile.
func TestBeNiceReachesEveryThread(t *testing.T) {
	if os.Getenv(lowered) == "" {
		child := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$")
		child.Env = append(os.Environ(), lowered+"=1")
		if out, err := child.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return
	}
	const niceness, threads = 5, 50
	var started, ended sync.WaitGroup
	stay := make(chan struct{})
	started.Add(threads)
	for range threads {
		ended.Go(func() {
			runtime.LockOSThread() // a thread of its own
			started.Done()
			<-stay
			runtime.UnlockOSThread()
		})
	}
	if err := BeNice(niceness); err != nil {
		t.Fatal(err)
	}
	started.Wait()
	tasks, err := filepath.Glob("/proc/self/task/*")
	if err != nil || len(tasks) < threads {
		t.Fatalf("%d threads, %v", len(tasks), err)
	}
	if n, err := lowerThreads(niceness); n != 0 || err != nil {
		t.Errorf("%d threads had kept their priority, %v", n, err)
	}
	own, err := syscall.Getpriority(syscall.PRIO_PROCESS, 0)
	if got := kernelNiceZero - own; got < niceness || err != nil {
		t.Errorf("a thread has niceness %d, %v, want at least %d", got, err, niceness)
	}
	close(stay)
	ended.Wait()
}
