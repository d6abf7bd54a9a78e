package evidence_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"breakbank/loadgen/evidence"
	"breakbank/loadgen/nullserver"
)

// jobVariable tells this binary what to do instead of its tests.
const jobVariable = "EVIDENCE_TEST_JOB"

const (
	jobSpin     = "spin"     // use up a processor until the input ends
	jobGenerate = "generate" // run the trial that is the input
	jobBurn     = "burn"     // use burnt of processor time for each line of the input
	jobServe    = "serve"    // say where it listens, then the same
	jobStrain   = "strain"   // say where it listens, and keep all processors busy meanwhile
)

// underWayAfter is how many records a generating process waits for before it
// says that it is under way.
const underWayAfter = 50

// work is what the other processes do. It returns their exit code.
func work(job string) int {
	switch job {
	case jobSpin:
		go spin()
		_, _ = io.Copy(io.Discard, os.Stdin)
		return 0
	case jobBurn:
		return burnOnDemand()
	case jobServe:
		return serving(burnOnDemand)
	case jobStrain:
		return serving(func() int {
			threads := 2 * runtime.NumCPU()
			runtime.GOMAXPROCS(threads + 1) // one to answer
			for range threads {
				go spin()
			}
			_, _ = io.Copy(io.Discard, os.Stdin)
			return 0
		})
	case jobGenerate:
		if err := generate(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return 0
	}
	return 2
}

// spin never ends by itself: its process does.
func spin() {
	for {
		burn(time.Second)
	}
}

// burnt is how much processor time a process uses when it is told to.
const burnt = 500 * time.Millisecond

// burnOnDemand uses so much for each line that it reads, then says so.
func burnOnDemand() int {
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		for until := used() + burnt; used() < until; {
		}
		fmt.Println("burnt")
	}
	return 0
}

// used is the processor time of this process.
func used() time.Duration {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage) // it has no way to fail
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// serving does something while a null server answers.
func serving(do func() int) int {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	server := nullserver.Misbehave(listener, nil, time.Now())
	defer func() { _ = server.Close() }()
	fmt.Println(listener.Addr())
	return do()
}

// burn uses the processor for a while.
func burn(d time.Duration) {
	for until := time.Now().Add(d); time.Now().Before(until); {
	}
}

// generate reads a trial, says when it is under way, and writes its facts.
func generate() error {
	var tr trial
	if err := json.NewDecoder(os.Stdin).Decode(&tr); err != nil {
		return err
	}
	out, records := json.NewEncoder(os.Stdout), 0
	underWay := make(chan error, 1)
	tr.build = func(int) { // of one goroutine: no step, session or retry follows
		if records++; records == underWayAfter {
			underWay <- out.Encode("under way")
		}
	}
	o, err := tr.run()
	if err != nil {
		return err
	}
	if err := <-underWay; err != nil {
		return err
	}
	return out.Encode(o.facts)
}

// process is another process of this binary.
type process struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	out   *bufio.Reader
}

// say gives a process a line.
func (p *process) say(t *testing.T, line string) {
	t.Helper()
	if _, err := fmt.Fprintln(p.stdin, line); err != nil {
		t.Fatal(err)
	}
}

// line is the next that a process says.
func (p *process) line(t *testing.T) string {
	t.Helper()
	line, err := p.out.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line)
}

// start starts one that has one processor to use at a time. nice is its
// priority, which only ever falls.
func start(t *testing.T, job string, nice int) *process {
	t.Helper()
	p := &process{cmd: exec.Command(os.Args[0])}
	p.cmd.Env = append(os.Environ(), jobVariable+"="+job, "GOMAXPROCS=1")
	p.cmd.Stderr = os.Stderr
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.out = bufio.NewReader(stdout)
	if err := startNice(p.cmd, nice); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // It may have ended.
		_ = p.stop()
	})
	return p
}

// startNice starts a process from a thread that has this priority, which it
// inherits. The thread is not used again, since it could not get its own back.
func startNice(cmd *exec.Cmd, nice int) error {
	failed := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and no unlock: the thread ends with the goroutine
		if err := syscall.Setpriority(syscall.PRIO_PROCESS, 0, nice); err != nil {
			failed <- err
			return
		}
		failed <- cmd.Start()
	}()
	return <-failed
}

// stop ends a process, and may be called again.
func (p *process) stop() error {
	p.stdin.Close()
	if p.cmd.ProcessState != nil {
		return nil
	}
	return p.cmd.Wait()
}

// give hands a generating process its trial, and returns once that is under way.
func (p *process) give(t *testing.T, tr trial) {
	t.Helper()
	if err := json.NewEncoder(p.stdin).Encode(tr); err != nil {
		t.Fatal(err)
	}
	if line, err := p.out.ReadString('\n'); err != nil {
		t.Fatalf("the generating process says %q: %v", line, err)
	}
}

// facts are what the process has found when its trial is over.
func (p *process) facts(t *testing.T) *outcome {
	t.Helper()
	var f evidence.LoadFacts
	if err := json.NewDecoder(p.out).Decode(&f); err != nil {
		t.Fatal(err)
	}
	return &outcome{facts: f}
}
