//go:build linux

package workers

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"breakbank/loadgen"
	"breakbank/loadgen/nullserver"
	"breakbank/loadgen/pacer"
	"breakbank/loadgen/transport"
)

// roles are what the test binary can be started as; each returns its exit
// status.
var roles = map[string]func() int{
	"worker":      beWorker,
	"coordinator": beCoordinator,
	"fail": func() int {
		fmt.Fprintln(os.Stderr, "starting")
		fmt.Fprintln(os.Stderr, "there is no port left")
		return 3
	},
	"wait": func() int {
		never := make(chan os.Signal, 1)
		signal.Notify(never, syscall.SIGUSR1)
		<-never
		return 0
	},
}

const (
	urlVariable  = "BREAKBANK_TEST_URL"
	nameVariable = "BREAKBANK_TEST_NAME"
	specVariable = "BREAKBANK_TEST_SPEC"
)

// as is a command that is one of the roles.
func as(role string, env ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), roleVariable+"="+role), env...)
	return cmd
}

// loadSpec is the load of these tests.
type loadSpec struct {
	Address  string        `json:"address"`
	PerS     float64       `json:"per_s"`
	Duration time.Duration `json:"duration"`
}

func (s *loadSpec) draw() (*loadgen.Schedule, error) {
	head := &transport.Head{Path: "/test.Null/Call", Authority: "null"}
	request, err := transport.AppendMessage(nil, func(b []byte) ([]byte, error) { return append(b, 1, 2, 3), nil })
	if err != nil {
		return nil, err
	}
	return loadgen.Draw(loadgen.Plan{Seed: 1, Duration: s.Duration, Pacer: pacer.Poisson{PerS: s.PerS}, Journeys: []loadgen.JourneySpec{{
		Name: "call", Weight: 1, Patience: 5 * time.Second,
		Steps: []loadgen.Step{{
			Build: func(_ *loadgen.Visit, c *transport.Call) error {
				c.Head, c.Request = head, request
				return nil
			},
			Judge: func(*loadgen.Visit, *transport.Call) loadgen.Decision {
				return loadgen.Decision{Outcome: loadgen.OK}
			},
		}},
	}}})
}

// load performs a part of a loadSpec.
func load(ctx context.Context, job *Job) (Report, error) {
	var spec loadSpec
	if err := json.Unmarshal(job.Spec, &spec); err != nil {
		return Report{}, err
	}
	schedule, err := spec.draw()
	if err != nil {
		return Report{}, err
	}
	carrier, err := transport.New("wire", transport.Config{Targets: []transport.Target{{Name: "null", Addresses: []string{spec.Address}}}})
	if err != nil {
		return Report{}, err
	}
	defer carrier.Close()
	if err := carrier.Settle(ctx); err != nil {
		return Report{}, err
	}
	start, err := job.Ready(ctx, schedule.SHA256())
	if err != nil {
		return Report{}, err
	}
	var ok atomic.Int64
	var telling sync.WaitGroup
	done := make(chan struct{})
	telling.Go(func() {
		ticker := time.NewTicker(ProgressEach)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				_ = job.Tell(Progress{Sent: ok.Load()}) // Of no consequence.
			}
		}
	})
	runner := loadgen.Runner{Transport: carrier, Part: job.Part, Parts: job.Parts, Grace: time.Second}
	summary, err := runner.Run(ctx, schedule, start, loadgen.SinkFunc(func(r *loadgen.Record) {
		if r.Outcome == loadgen.OK {
			ok.Add(1)
		}
	}))
	close(done)
	telling.Wait()
	return Report{Summary: summary, Facts: must(ok.Load())}, err
}

func beWorker() int {
	if err := Join(context.Background(), os.Getenv(urlVariable), os.Getenv(nameVariable), load); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// beCoordinator prints its URL, has workers that it may start itself perform a
// load, and prints the process ids of those.
func beCoordinator() int {
	here, err := strconv.Atoi(os.Getenv(nameVariable))
	if err == nil {
		var c *Coordinator
		o := Options{Workers: max(here, 1), Spec: json.RawMessage(os.Getenv(specVariable)), Silence: time.Second}
		if c, err = Listen(o); err == nil {
			fmt.Println(c.URL())
			if here > 0 {
				var children *Children
				children, err = startWorkers(c, here)
				if err == nil {
					fmt.Println(strings.Trim(fmt.Sprint(children.PIDs()), "[]"))
				}
			}
			if err == nil {
				_, err = c.Run(context.Background())
			}
		}
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// startWorkers starts workers called a, b, c...
func startWorkers(c *Coordinator, n int) (*Children, error) {
	return StartChildren(n, func(i int) (string, *exec.Cmd) {
		name := string(rune('a' + i))
		return name, as("worker", urlVariable+"="+c.URL(), nameVariable+"="+name)
	}, c.Exited)
}

// null is a server that answers everything.
func null(t *testing.T) *nullserver.Server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := nullserver.Serve(l)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// performed is a run of three processes, and what is done to them as soon as
// all have sent something.
func performed(t *testing.T, spec loadSpec, o Options, meanwhile func(c *Children, interrupt func())) (*Outcome, error) {
	t.Helper()
	sending := make(chan struct{})
	var once sync.Once
	o.Workers, o.Spec = 3, must(spec)
	o.Observe = func(s State) {
		if s.Stage == Running && !slices.ContainsFunc(s.Workers, func(w WorkerState) bool { return w.Progress.Sent == 0 }) {
			once.Do(func() { close(sending) })
		}
	}
	c := listen(t, o)
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	children, err := startWorkers(c, 3)
	if err != nil {
		t.Fatal(err)
	}
	defer children.Stop(0)
	ended := run(ctx, c)
	if meanwhile != nil {
		select {
		case <-sending:
			meanwhile(children, interrupt)
		case r := <-ended:
			t.Fatalf("it ended early: %+v, %v", r.outcome, r.err)
		}
	}
	r := receive(t, "the end of the run", ended)
	return r.outcome, r.err
}

// due is how many arrivals a part has.
func due(t *testing.T, spec loadSpec, part, parts int) int {
	t.Helper()
	schedule, err := spec.draw()
	if err != nil {
		t.Fatal(err)
	}
	return (len(schedule.Arrivals) - part + parts - 1) / parts
}

func TestProcessesPerformOneSchedule(t *testing.T) {
	t.Parallel()
	server := null(t)
	spec := loadSpec{Address: server.Addr(), PerS: 900, Duration: time.Second}
	o, err := performed(t, spec, Options{Token: NewToken()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	schedule, err := spec.draw()
	if err != nil {
		t.Fatal(err)
	}
	all := len(schedule.Arrivals)
	sum := MergeSummaries(o.Reports)
	if reasons := o.InvalidReasons(); len(reasons) > 0 || o.ScheduleSHA256 != schedule.SHA256() {
		t.Errorf("%q", reasons)
	}
	if sum.Scheduled != all || sum.Sent != all || server.Calls() != int64(all) || len(sum.SentNs) != all {
		t.Errorf("of %d due, %d were scheduled, %d sent, %d arrived, and %d have a time", all, sum.Scheduled, sum.Sent, server.Calls(), len(sum.SentNs))
	}
	for i, ns := range sum.SentNs {
		// To the microsecond.
		if at := schedule.Arrivals[i].At; ns < int64(at)-1000 {
			t.Fatalf("arrival %d, due at %v, was sent at %v", i, at, time.Duration(ns))
		}
	}
}

// lostOne checks that one of three was lost, and the rest complete.
func lostOne(t *testing.T, spec loadSpec, o *Outcome, name, why string) {
	t.Helper()
	if len(o.Lost) != 1 || len(o.Reports) != 2 || o.Partial {
		t.Fatalf("%d lost, %d reports, partial %v", len(o.Lost), len(o.Reports), o.Partial)
	}
	l := o.Lost[0]
	want := fmt.Sprintf("worker %s was lost (%s): part %d of 3 of the schedule is not in the result", name, why, l.Part+1)
	if reasons := o.InvalidReasons(); len(reasons) != 1 || reasons[0] != want {
		t.Errorf("%q, and not %q", reasons, want)
	}
	if l.Last.Sent == 0 {
		t.Error("what it told last is forgotten")
	}
	for _, r := range o.Reports {
		if n := due(t, spec, r.Part, 3); r.Summary.Sent != n || string(r.Facts) != strconv.Itoa(n) {
			t.Errorf("%s sent %d of %d, of which %s were answered", r.Worker, r.Summary.Sent, n, r.Facts)
		}
	}
}

func TestAKilledWorker(t *testing.T) {
	t.Parallel()
	spec := loadSpec{Address: null(t).Addr(), PerS: 600, Duration: 4 * time.Second}
	o, err := performed(t, spec, Options{}, func(c *Children, _ func()) {
		if err := syscall.Kill(c.PIDs()[1], syscall.SIGKILL); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	lostOne(t, spec, o, "b", "its process ended: signal: killed")
}

func TestAStalledWorker(t *testing.T) {
	t.Parallel()
	spec := loadSpec{Address: null(t).Addr(), PerS: 600, Duration: 4 * time.Second}
	o, err := performed(t, spec, Options{Silence: time.Second}, func(c *Children, _ func()) {
		if err := syscall.Kill(c.PIDs()[2], syscall.SIGSTOP); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	lostOne(t, spec, o, "c", "nothing was heard from it for 1s")
}

func TestCtrlCReachesProcesses(t *testing.T) {
	t.Parallel()
	server := null(t)
	spec := loadSpec{Address: server.Addr(), PerS: 300, Duration: time.Hour}
	o, err := performed(t, spec, Options{}, func(_ *Children, interrupt func()) { interrupt() })
	if err != nil {
		t.Fatal(err)
	}
	sum := MergeSummaries(o.Reports)
	if len(o.Reports) != 3 || !o.Partial || !sum.Interrupted || sum.Sent == 0 || int64(sum.Sent) != server.Calls() {
		t.Errorf("%d reports, %d sent, %d arrived", len(o.Reports), sum.Sent, server.Calls())
	}
}

func TestABadTarget(t *testing.T) {
	closed := answering(t, "")
	closed.Close()
	o, err := performed(t, loadSpec{Address: closed.Addr().String(), PerS: 300, Duration: time.Second}, Options{}, nil)
	var failure *Failure
	if o != nil || !errors.As(err, &failure) || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("%+v, %v", o, err)
	}
}

func TestAChildThatNeverJoins(t *testing.T) {
	c := listen(t, Options{Workers: 1})
	children, err := StartChildren(1, func(int) (string, *exec.Cmd) { return "a", as("fail") }, c.Exited)
	if err != nil {
		t.Fatal(err)
	}
	defer children.Stop(0)
	_, err = c.Run(t.Context())
	if err == nil || err.Error() != "worker a was lost before the load began (its process ended: exit status 3: there is no port left)" {
		t.Errorf("%v", err)
	}
}

// coordinatorProcess is a coordinator of its own process.
func coordinatorProcess(t *testing.T, here int, spec loadSpec) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := as("coordinator", nameVariable+"="+strconv.Itoa(here), specVariable+"="+string(must(spec)))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // It may have been killed before.
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatal("the coordinator did not start")
	}
	return cmd, lines
}

// TestAWorkerWithoutACoordinatorStops: the coordinator dies, or its machine
// does, which looks like silence. The silence there is a second; the worker must
// have stopped within three.
func TestAWorkerWithoutACoordinatorStops(t *testing.T) {
	for name, c := range map[string]struct {
		signal syscall.Signal
		why    string
	}{
		"killed":  {syscall.SIGKILL, "the coordinator was lost: the connection was closed at 127.0.0.1:"},
		"stalled": {syscall.SIGSTOP, "the coordinator was lost: nothing was heard for 1s at 127.0.0.1:"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := null(t)
			cmd, lines := coordinatorProcess(t, 0, loadSpec{Address: server.Addr(), PerS: 300, Duration: time.Hour})
			ended := join(t, lines.Text(), "a", load)
			eventually(t, "it sends", func() bool { return server.Calls() > 10 })
			if err := cmd.Process.Signal(c.signal); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			err := receive(t, "the end of the worker", ended)
			if !errors.Is(err, ErrLost) || !strings.HasPrefix(err.Error(), c.why) {
				t.Errorf("%v", err)
			}
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("it went on for %v", took)
			}
		})
	}
}

// TestAKilledCoordinatorTakesItsChildrenWithIt: nobody can tidy up after SIGKILL.
func TestAKilledCoordinatorTakesItsChildrenWithIt(t *testing.T) {
	t.Parallel()
	server := null(t)
	cmd, lines := coordinatorProcess(t, 2, loadSpec{Address: server.Addr(), PerS: 300, Duration: time.Hour})
	if !lines.Scan() {
		t.Fatal("the workers did not start")
	}
	pids := strings.Fields(lines.Text())
	if len(pids) != 2 {
		t.Fatalf("%q", lines.Text())
	}
	eventually(t, "they send", func() bool { return server.Calls() > 10 })
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for _, pid := range pids {
		eventually(t, "a child has ended", func() bool { return !runs(pid) })
	}
}

// runs says whether a process is there and has not ended.
func runs(pid string) bool {
	stat, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

func TestChildren(t *testing.T) {
	var mu sync.Mutex
	ends := map[string]string{}
	exited := func(name string, err error) {
		mu.Lock()
		defer mu.Unlock()
		if ends[name] != "" {
			t.Errorf("%s ended twice", name)
		}
		ends[name] = fmt.Sprint(err)
	}
	names := []string{"fail", "wait", "worker"}
	children, err := StartChildren(3, func(i int) (string, *exec.Cmd) { return names[i], as(names[i]) }, exited)
	if err != nil {
		t.Fatal(err)
	}
	pids := children.PIDs()
	eventually(t, "two have ended by themselves", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(ends) == 2
	})
	children.Stop(time.Millisecond)
	children.Stop(time.Hour)
	mu.Lock()
	defer mu.Unlock()
	want := map[string]string{
		"fail":   "exit status 3: there is no port left",
		"wait":   "signal: killed",
		"worker": "exit status 1: the URL has no host and port: a coordinator is joined at nats://TOKEN@host:port",
	}
	for name, how := range want {
		if ends[name] != how {
			t.Errorf("%s ended with %s", name, ends[name])
		}
	}
	for _, pid := range pids {
		if runs(strconv.Itoa(pid)) {
			t.Errorf("process %d still runs", pid)
		}
	}
}

func TestAChildThatCannotBeStarted(t *testing.T) {
	ended := make(chan string, 2)
	_, err := StartChildren(2, func(i int) (string, *exec.Cmd) {
		if i == 0 {
			return "a", as("wait")
		}
		return "b", exec.Command("/nowhere/worker")
	}, func(name string, _ error) { ended <- name })
	if err == nil || !strings.HasPrefix(err.Error(), "start worker b: ") {
		t.Errorf("%v", err)
	}
	if name := receive(t, "the end of the other", ended); name != "a" {
		t.Errorf("%s ended", name)
	}
}
