package process

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// childIs makes the test binary be a child, of a kind in the table.
const childIs = "BREAKBANK_TEST_CHILD"

// numbered stands before the number of a process that somebody started.
const numbered = "started"

// testLimit bounds each wait of a test.
const testLimit = 10 * time.Second

// children are what the test binary can be. Each says what it has to say on its
// standard output, in lines.
var children = map[string]func(){
	// deaf heeds nothing but SIGTERM.
	"deaf": func() { say("deaf"); deaf() },
	// three ends at once.
	"three": func() { os.Exit(3) },
	// heedful ends when its parent does.
	"heedful": func() {
		say("heedful")
		<-Lifeline()
		os.Exit(7)
	},
	// parent has a child, whose number it says, that has one as well.
	"parent": func() { begin("parent-of-deaf", &Presence{}); deaf() },
	// parent-of-deaf has a child, whose number it says.
	"parent-of-deaf": func() { begin("deaf", &Presence{}); deaf() },
	// counter has a child, with a presence of its own, that says what it shows.
	"counter": func() {
		presence, err := NewPresence()
		must(err)
		p := begin("count", presence)
		<-p.Done()
		<-presence.Gone()
	},
	// count says how many presences it shows.
	"count": func() { say(len(inherited())) },
	// careless starts a child by other means, whose number it says, and ends.
	"careless": func() {
		inherited() // As any start of a process does first.
		cmd := command("deaf")
		must(cmd.Start())
		say(numbered, cmd.Process.Pid)
	},
	// careless-reader starts a child by other means and waits for what it says.
	"careless-reader": func() {
		inherited()
		cmd := command("bindings")
		cmd.Stdout = os.Stdout
		must(cmd.Run())
	},
	// bindings says how it is bound to its parent.
	"bindings": func() { say(len(inherited()), Lifeline() != nil) },
	// writer writes to its first extra file.
	"writer": func() {
		_, err := os.NewFile(firstExtraFile, "first").WriteString("first\n")
		must(err)
		say(len(inherited()))
	},
}

func TestMain(m *testing.M) {
	if kind := os.Getenv(childIs); kind != "" {
		children[kind]()
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

func say(words ...any) { fmt.Println(words...) }

func must(err error) {
	if err != nil {
		say("error:", err)
		os.Exit(1)
	}
}

func deaf() {
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM)
	<-end
}

// begin starts a child of a child, says its number and passes on what it says.
func begin(kind string, p *Presence) *Process {
	cmd := command(kind)
	cmd.Stdout = os.Stdout
	child, err := Start(cmd, Options{Presence: p.File()})
	must(err)
	say(numbered, child.PID())
	return child
}

func command(kind string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	// A race detector lingers for a second at an ordinary exit otherwise.
	cmd.Env = append(os.Environ(), childIs+"="+kind, "GORACE=atexit_sleep_ms=0")
	cmd.Stderr = os.Stderr
	return cmd
}

// child is a process under test and what it says.
type child struct {
	*Process
	lines *bufio.Scanner
}

// startChild starts a child of a kind, which does not outlive the test.
func startChild(t *testing.T, kind string, o Options, extra ...*os.File) *child {
	t.Helper()
	out, said, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := command(kind)
	cmd.Stdout, cmd.ExtraFiles = said, extra
	p, err := Start(cmd, o)
	_ = said.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.KillGroup(); _ = out.Close() })
	if err := out.SetReadDeadline(time.Now().Add(testLimit)); err != nil {
		t.Fatal(err)
	}
	return &child{p, bufio.NewScanner(out)}
}

// says is the child's next line.
func (c *child) says(t *testing.T) string {
	t.Helper()
	if !c.lines.Scan() {
		t.Fatalf("it said nothing more: %v", c.lines.Err())
	}
	return c.lines.Text()
}

// hears are the next lines of a child and its descendants, which come in any
// order: the numbers of processes, and the rest.
func (c *child) hears(t *testing.T, lines int) (pids []int, words []string) {
	t.Helper()
	for range lines {
		line := c.says(t)
		number, ok := strings.CutPrefix(line, numbered+" ")
		if !ok {
			words = append(words, line)
			continue
		}
		pid, err := strconv.Atoi(number)
		if err != nil {
			t.Fatalf("it said %q", line)
		}
		pids = append(pids, pid)
	}
	return pids, words
}

// ended waits until a channel is closed.
func ended(t *testing.T, what string, done <-chan struct{}) {
	t.Helper()
	limit := time.NewTimer(testLimit)
	defer limit.Stop()
	select {
	case <-done:
	case <-limit.C:
		t.Fatalf("%s: not within %v", what, testLimit)
	}
}

// await looks until something is shown.
func await(t *testing.T, what string, shown func() bool) {
	t.Helper()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for limit := time.Now().Add(testLimit); !shown(); <-again.C {
		if time.Now().After(limit) {
			t.Fatalf("%s: not within %v", what, testLimit)
		}
	}
}

func awaitGone(t *testing.T, pid int) {
	t.Helper()
	await(t, fmt.Sprintf("the end of process %d", pid), func() bool { return look(t, pid).State == Gone })
}

func look(t *testing.T, pid int) Status {
	t.Helper()
	s, err := Look(pid)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func presence(t *testing.T) *Presence {
	t.Helper()
	p, err := NewPresence()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// rest is all that a file still says.
func rest(t *testing.T, f *os.File) string {
	t.Helper()
	text, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}
