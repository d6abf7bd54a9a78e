package ports

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// asOther makes this binary the other process, which takes the block that
// begins at the port it is given.
const asOther = "BREAKBANK_TEST_PORTS_FROM"

func TestMain(m *testing.M) {
	var first int
	if _, err := fmt.Sscan(os.Getenv(asOther), &first); err != nil {
		os.Exit(m.Run())
	}
	l, err := from(first).Listen()
	fmt.Println(l, err)
	_, _ = os.Stdin.Read(make([]byte, 1)) // until it is killed
}

// from allocates from the one block that begins at a port.
func from(first int) *Allocator { return &Allocator{of: Range{first, first + blockSize - 1}} }

// ours is a block that no other process has, and its allocator.
func ours(t *testing.T) (int, *Allocator) {
	t.Helper()
	a := New()
	t.Cleanup(a.Close)
	return port(t, a) - 1, a
}

// port is the next that an allocator hands out; nobody listens there any more.
func port(t *testing.T, a *Allocator) int {
	t.Helper()
	l, err := a.Listen()
	if err != nil {
		t.Fatal(err)
	}
	l.Close() // A closed listener frees the port for the kernel, not for us.
	return l.Addr().(*net.TCPAddr).Port
}

func TestNoPortIsHandedOutTwice(t *testing.T) {
	seen := map[int]bool{}
	for range 3 {
		a := New()
		defer a.Close()
		for range 2 * blockSize {
			p := port(t, a)
			if seen[p] {
				t.Fatalf("%d handed out twice", p)
			}
			seen[p] = true
		}
	}
}

func TestPassesOverPortsTakenByOthers(t *testing.T) {
	_, a := ours(t)
	taken, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", a.next))
	for err != nil { // Something on this machine has that one: try the next.
		a.next++
		taken, err = net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", a.next))
	}
	defer taken.Close()
	if p := port(t, a); p == taken.Addr().(*net.TCPAddr).Port {
		t.Fatalf("handed out %d, which another program holds", p)
	}
}

func TestStaysInItsRange(t *testing.T) {
	first, a := ours(t)
	a.Close()
	a = from(first)
	defer a.Close()
	for {
		l, err := a.Listen()
		if errors.Is(err, ErrExhausted) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		if p := l.Addr().(*net.TCPAddr).Port; p <= first || p >= first+blockSize || p < lowPort || p >= highPort {
			t.Fatalf("port %d of the block from %d", p, first)
		}
	}
}

// TestAnAddressIsFreeAtOnce, whatever this process starts meanwhile.
func TestAnAddressIsFreeAtOnce(t *testing.T) {
	a := New()
	defer a.Close()
	over := make(chan struct{})
	var starting sync.WaitGroup
	defer starting.Wait()
	defer close(over)
	for range 4 {
		starting.Go(func() {
			for {
				select {
				case <-over:
					return
				default:
				}
				if err := exec.Command("true").Run(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	// Of so many, listened on and closed without regard for that, some
	// are still taken.
	for range 1_000 {
		address, err := a.Address()
		if err != nil {
			t.Fatal(err)
		}
		l, err := net.Listen("tcp4", address)
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
	}
}

// TestABlockHasOneOwner: whoever has it, until it is given back.
func TestABlockHasOneOwner(t *testing.T) {
	first, a := ours(t)
	other := from(first)
	if _, err := other.Listen(); !errors.Is(err, ErrExhausted) {
		t.Fatalf("a block that is taken was given: %v, want %v", err, ErrExhausted)
	}
	a.Close()
	if got := port(t, other); got != first+1 {
		t.Errorf("given %d of a block from %d", got, first)
	}
	other.Close()
	if _, err := a.Listen(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a closed allocator handed out a port: %v", err)
	}
}

func TestAForgottenAllocatorKeepsItsBlock(t *testing.T) {
	first := port(t, New()) - 1
	runtime.GC()
	runtime.GC() // The first only queues what is to be closed.
	if _, err := from(first).Listen(); !errors.Is(err, ErrExhausted) {
		t.Errorf("the block was given to another: %v", err)
	}
}

// TestBlocksOfAProcessThatDies: the block it had is given again. Others on this
// machine take blocks, too, and may take this one while it is free: then it is
// tried with another.
func TestBlocksOfAProcessThatDies(t *testing.T) {
	const tries = 5
	for range tries {
		first, a := ours(t)
		a.Close()
		if givenAgain(t, first) {
			return
		}
	}
	t.Errorf("in %d attempts others had the block", tries)
}

// givenAgain has another process take the block that begins at a port, and die; the
// block is then given again. It is false if somebody else had it.
func givenAgain(t *testing.T, first int) bool {
	t.Helper()
	other := exec.Command(os.Args[0])
	other.Env = append(os.Environ(), fmt.Sprintf("%s=%d", asOther, first))
	in, err := other.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	said, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	taken := strings.Contains(said, ErrExhausted.Error())
	if _, err := from(first).Listen(); !taken && !errors.Is(err, ErrExhausted) {
		t.Errorf("another process has the block (%s), and it was given: %v", said, err)
	}
	if err := other.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = other.Wait() // It was killed.
	if taken {
		t.Logf("the block from %d was taken: %s", first, said)
		return false
	}
	mine := from(first)
	defer mine.Close()
	l, err := mine.Listen()
	if err != nil {
		t.Logf("the block from %d is not given again: %v", first, err)
		return false
	}
	l.Close()
	return true
}
