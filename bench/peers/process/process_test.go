//go:build linux

package process

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"breakbank/platform/ports"
)

// asChild makes the test binary one of the programs below.
const asChild = "BREAKBANK_TEST_CHILD"

// programs are what the tests start.
var programs = map[string]func(args []string){
	// listen takes connections at an address, with a child of its own that
	// spins.
	"listen": func(args []string) {
		_ = program("spin", "100ms").Start() // If that fails the test sees no child.
		listener, err := net.Listen("tcp", args[0])
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		for {
			if conn, err := listener.Accept(); err == nil {
				conn.Close()
			}
		}
	},
	// spin uses so much processor time and then waits.
	"spin": func(args []string) {
		d, _ := time.ParseDuration(args[0])
		for used := time.Duration(0); used < d; {
			used, _ = cpuTime(os.Getpid())
		}
		waitForever()
	},
	"succeed": func([]string) {},
	// hold touches so many bytes of memory and keeps them, and then listens.
	"hold": func(args []string) {
		n, _ := strconv.Atoi(args[0])
		held := make([]byte, n)
		for i := 0; i < n; i += os.Getpagesize() {
			held[i] = 1
		}
		l, err := net.Listen("tcp", args[1])
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		defer l.Close()
		waitForever()
		runtime.KeepAlive(held)
	},
	"fail": func([]string) {
		fmt.Println("starting")
		fmt.Println("there is no port left")
		os.Exit(3)
	},
	// parent starts a child, prints its process id, and waits to be killed.
	"parent": func([]string) {
		c, err := Start(context.Background(), "spinner", program("spin", "0s"))
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(c.PID())
		waitForever()
	},
}

func waitForever() {
	never := make(chan os.Signal, 1)
	signal.Notify(never, syscall.SIGUSR1)
	<-never
}

func TestMain(m *testing.M) {
	if run, ok := programs[os.Getenv(asChild)]; ok {
		run(os.Args[1:])
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

func program(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asChild+"="+name)
	return cmd
}

// free is an address that nobody listens on.
func free(t *testing.T) string {
	t.Helper()
	address, err := ports.New().Address()
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	const limit, each = 20 * time.Second, 5 * time.Millisecond
	deadline, poll := time.NewTimer(limit), time.NewTicker(each)
	defer deadline.Stop()
	defer poll.Stop()
	for !holds() {
		select {
		case <-deadline.C:
			t.Fatalf("not within %v: %s", limit, what)
		case <-poll.C:
		}
	}
}

// runs says whether a process is there and has not ended.
func runs(pid int) bool {
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

func TestAChildAndItsChildren(t *testing.T) {
	address := free(t)
	c, err := Start(t.Context(), "listener", program("listen", address), address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Kill()
	var ids []int
	eventually(t, "its own child is in the tree", func() bool {
		ids, err = tree(c.PID())
		return err == nil && len(ids) == 2
	})
	eventually(t, "what its child uses is read", func() bool {
		now, err := Read(c)
		if err != nil {
			t.Fatal(err)
		}
		return now[ids[1]] > 50*time.Millisecond
	})
	c.Kill()
	c.Kill()
	for _, id := range ids {
		eventually(t, "the whole tree has ended", func() bool { return !runs(id) })
	}
	if c.Err() == nil {
		t.Error("an ended child says nothing")
	}
	if _, err := Read(c); err == nil || !strings.Contains(err.Error(), "listener") {
		t.Errorf("reading an ended child: %v", err)
	}
}

func TestAChildThatEndsEarlySaysWhy(t *testing.T) {
	_, err := Start(t.Context(), "the proxy", program("fail"), free(t))
	if err == nil {
		t.Fatal("it started")
	}
	for _, want := range []string{"the proxy", "exit status 3", "there is no port left"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("does not say %q: %v", want, err)
		}
	}
}

func TestAProgramThatIsNotThere(t *testing.T) {
	if _, err := Start(t.Context(), "ghost", exec.Command("/nowhere/ghost")); err == nil || !strings.Contains(err.Error(), "ghost") {
		t.Errorf("%v", err)
	}
}

func TestWaitingForTheEnd(t *testing.T) {
	start := func(name string, args ...string) *Child {
		c, err := Start(t.Context(), "the program", program(name, args...))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Kill)
		return c
	}
	if err := start("succeed").Wait(t.Context()); err != nil {
		t.Errorf("one that succeeds: %v", err)
	}
	if err := start("fail").Wait(t.Context()); err == nil || !strings.Contains(err.Error(), "there is no port left") {
		t.Errorf("one that fails: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := start("spin", "50ms")
	if err := c.Wait(ctx); !errors.Is(err, context.Canceled) || c.Err() != nil {
		t.Errorf("one that goes on: %v, %v", err, c.Err())
	}
	eventually(t, "it has spun", func() bool {
		now, err := Read(c)
		return err == nil && now[c.PID()] >= 50*time.Millisecond
	})
	if used := c.Used(); used != 0 {
		t.Errorf("it has used %v before its end", used)
	}
	c.Kill()
	// The system counts in ticks of up to 10 ms here.
	if used := c.Used(); used < 40*time.Millisecond || used > 10*time.Second {
		t.Errorf("it has used %v", used)
	}
}

// TestResidentMemory: a program that is told to touch so much more memory than
// another has about so much more.
func TestResidentMemory(t *testing.T) {
	const more = 64 << 20
	resident := func(bytes int) int64 {
		at := free(t)
		c, err := Start(t.Context(), "holder", program("hold", strconv.Itoa(bytes), at), at)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Kill()
		now, err := Resident(c)
		if err != nil {
			t.Fatal(err)
		}
		return now
	}
	// The race detector keeps as much again for itself, and a little.
	if grown := resident(more) - resident(0); grown < more*9/10 || grown > more*5/2 {
		t.Errorf("grown by %d bytes, want about %d", grown, more)
	}
}

func TestWaitingForAChildEndsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Start(ctx, "spinner", program("spin", "0s"), free(t)); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// TestAKilledParentTakesItsChildrenWithIt: nobody can tidy up after SIGKILL.
func TestAKilledParentTakesItsChildrenWithIt(t *testing.T) {
	parent := program("parent")
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	var child int
	_, err = fmt.Fscan(out, &child)
	if killed := parent.Process.Kill(); killed != nil {
		t.Fatal(killed)
	}
	_ = parent.Wait() // It was killed.
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the child has ended too", func() bool { return !runs(child) })
}

func TestReadingsOfDifferentTreesAreNotCompared(t *testing.T) {
	one := Reading{1: time.Second}
	for _, other := range []Reading{{}, {1: time.Second, 2: time.Second}, {2: time.Second}} {
		if _, err := one.Since(other); !errors.Is(err, ErrChanged) {
			t.Errorf("%v since %v: %v", one, other, err)
		}
	}
	if used, err := (Reading{1: 5, 2: 7}).Since(Reading{1: 2, 2: 4}); used != 6 || err != nil {
		t.Errorf("%v, %v", used, err)
	}
}

func TestThisProcess(t *testing.T) {
	before, err := Self()
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "it used some time", func() bool {
		now, err := Self()
		if err != nil {
			t.Fatal(err)
		}
		used, err := now.Since(before)
		return err == nil && used > 0
	})
}
