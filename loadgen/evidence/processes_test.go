package evidence

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"net/netip"
	"slices"
	"testing"
	"time"
)

func TestMachineTimeIn(t *testing.T) {
	for text, want := range map[string]machineTime{
		"cpu  100 20 30 400 50 6 7 8 0 0\ncpu0 1 2": {busy: 150 * tick, all: 621 * tick},
		"cpu  100 20 30 400":                        {}, // older than 2.6.11
		"cpu0 100 20 30 400 50 6 7 8":               {},
		"cpu a b c d e f g h":                       {},
		"":                                          {},
	} {
		if got, ok := machineTimeIn(text); got != want || ok != (want.all > 0) {
			t.Errorf("%q: %+v, %v", text, got, ok)
		}
	}
}

func TestProcessIn(t *testing.T) {
	const rest = "S 7 1 1 0 -1 4194560 1 2 3 4 10 20 30 40 20 0 5 0 12345 1 2\n"
	want := process{parent: 7, started: "12345", used: 30 * tick, reaped: 70 * tick}
	for name, text := range map[string]string{
		"ledger":         "42 (ledger) " + rest,
		"a) S 1 (b \x1b": "42 (a) S 1 (b \x1b) " + rest,
		"":               "42 () " + rest,
	} {
		want.name = name
		if got, ok := processIn(text); got != want || !ok {
			t.Errorf("%q: %+v, %v", text, got, ok)
		}
	}
	for _, text := range []string{"", "42 ledger S 7", "42 (ledger) S 7 1", "42 (ledger) S x 1 1 0 -1 4194560 1 2 3 4 10 20 30 40 20 0 5 0 12345"} {
		if got, ok := processIn(text); ok {
			t.Errorf("%q: %+v", text, got)
		}
	}
	if got := (program{pid: 7, processes: 1}).called("a\x1b[2Jb\n"); got != "a?[2Jb? (process 7)" {
		t.Errorf("called %q", got)
	}
	if got := (program{pid: 7, processes: 3}).called("bash"); got != "bash (3 processes)" {
		t.Errorf("called %q", got)
	}
}

// word is an address as the kernel writes it: in this machine's byte order.
func word(a, b, c, d byte) string {
	return fmt.Sprintf("%08X", binary.NativeEndian.Uint32([]byte{a, b, c, d}))
}

func TestSocketIn(t *testing.T) {
	const rest = " 00000000:00000000 00:00000000 00000000 0 0 4711 1 0 100 0 0 10 0\n"
	zero, any6 := word(0, 0, 0, 0), word(0, 0, 0, 0)+word(0, 0, 0, 0)+word(0, 0, 0, 0)+word(0, 0, 0, 0)
	mapped := word(0, 0, 0, 0) + word(0, 0, 0, 0) + word(0, 0, 0xff, 0xff) + word(127, 0, 0, 1)
	for line, want := range map[string]socket{
		"0: " + word(127, 0, 0, 1) + ":C383 " + zero + ":0000 0A" + rest: {
			local: netip.MustParseAddrPort("127.0.0.1:50051"), peer: netip.MustParseAddrPort("0.0.0.0:0"), listens: true, inode: "4711",
		},
		"1: " + word(10, 0, 0, 1) + ":0050 " + word(10, 0, 0, 2) + ":8000 01" + rest: {
			local: netip.MustParseAddrPort("10.0.0.1:80"), peer: netip.MustParseAddrPort("10.0.0.2:32768"), inode: "4711",
		},
		"2: " + mapped + ":0050 " + any6 + ":0000 01" + rest: {
			local: netip.MustParseAddrPort("127.0.0.1:80"), peer: netip.MustParseAddrPort("[::]:0"), inode: "4711",
		},
	} {
		if got, ok := socketIn(line); got != want || !ok {
			t.Errorf("%q: %+v, %v", line, got, ok)
		}
	}
	for _, line := range []string{
		"", "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n",
		"0: " + zero + ":0050 " + zero + ":0000 06" + rest, // about to be forgotten
		"0: 7F:0050 " + zero + ":0000 0A" + rest, "0: " + zero + ":x " + zero + ":0000 0A" + rest,
	} {
		if got, ok := socketIn(line); ok {
			t.Errorf("%q: %+v", line, got)
		}
	}
}

// TestWhoIsMeasured: a proxy (10) with a child (11), the service behind it (20),
// its database (30) and that one's worker (31); the generator (1000) and its
// child (1001); somebody else (40) with a peer of their own (41).
func TestWhoIsMeasured(t *testing.T) {
	at := func(port int) netip.AddrPort {
		return netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(port))
	}
	var all sockets
	owners := map[string][]int{}
	listen := func(pid, port int) {
		inode := fmt.Sprint("l", port)
		all = append(all, socket{local: at(port), listens: true, inode: inode})
		owners[inode] = append(owners[inode], pid)
	}
	joined := func(from, to, fromPort, toPort int) {
		a, b := fmt.Sprint("a", fromPort), fmt.Sprint("b", fromPort)
		all = append(all, socket{local: at(fromPort), peer: at(toPort), inode: a}, socket{local: at(toPort), peer: at(fromPort), inode: b})
		owners[a], owners[b] = []int{from}, []int{to}
	}
	listen(10, 80)
	listen(20, 8080)
	listen(40, 99)
	joined(1000, 10, 5000, 80)
	joined(10, 20, 5001, 8080)
	joined(20, 30, 5002, 5432)
	joined(41, 40, 5003, 99)
	all = append(all, socket{local: at(5004), peer: netip.MustParseAddrPort("192.0.2.1:80"), inode: "away"})
	processes := map[int]process{
		initPID: {}, 10: {parent: initPID}, 11: {parent: 10}, 20: {parent: initPID}, 30: {parent: initPID}, 31: {parent: 30},
		40: {parent: initPID}, 41: {parent: initPID}, 1000: {parent: initPID}, 1001: {parent: 1000},
	}
	roots, ok := all.listening([][]netip.AddrPort{{netip.MustParseAddrPort("[::1]:80"), at(80)}}, owners)
	if !ok || len(roots) != 1 || !slices.Equal(roots[0], []int{10}) {
		t.Fatalf("%v listen: %v", roots, ok)
	}
	if _, ok := all.listening([][]netip.AddrPort{{at(80)}, {at(81)}}, owners); ok {
		t.Error("nobody listens at the second")
	}
	got := slices.Sorted(maps.Keys(all.reached(roots, owners, processes, 1000)))
	if want := []int{10, 11, 20, 30, 31, 1000}; !slices.Equal(got, want) {
		t.Errorf("measured are %v, want %v", got, want)
	}
	if got := slices.Sorted(maps.Keys(all.reached([][]int{{initPID}}, owners, processes, 1000))); !slices.Equal(got, []int{initPID}) {
		t.Errorf("the first process holds a socket for another: %v", got)
	}
}

// TestWhoIsOwn: a platform (10) with parts (11, 12) and an instance (13) of one of
// them, beside somebody else (40).
func TestWhoIsOwn(t *testing.T) {
	processes := map[int]process{
		initPID: {}, 1000: {parent: initPID}, 10: {parent: 1000}, 11: {parent: 10}, 12: {parent: 10}, 13: {parent: 12},
		40: {parent: initPID}, 41: {parent: 40},
	}
	got := slices.Sorted(maps.Keys(descendants(1000, processes)))
	if want := []int{10, 11, 12, 13}; !slices.Equal(got, want) {
		t.Errorf("own are %v, want %v", got, want)
	}
	if got := descendants(13, processes); len(got) != 0 {
		t.Errorf("who has started none has %v", got)
	}
}

func TestAccount(t *testing.T) {
	used := func(started string, s float64, name string) process {
		return process{name: name, started: started, used: time.Duration(s * float64(time.Second))}
	}
	w := &OthersWatch{machine: machineTime{busy: 10 * time.Second, all: 100 * time.Second}, processes: map[int]process{
		1: used("a", 1, "ours"), 2: used("a", 2, "measured"), 3: used("a", 3, "hog"), 4: used("a", 50, "another, ended"),
	}}
	reaper := used("a", 5, "measured")
	reaper.used, reaper.reaped = reaper.used-time.Second, time.Second
	after := map[int]process{
		1: used("a", 1.5, "ours"), 2: reaper, 4: used("b", 1, "measured"), 3: used("a", 8, "hog"), 5: used("c", 0.5, "small"),
	}
	got := w.account(machineTime{busy: 21 * time.Second, all: 120 * time.Second}, after, map[int]bool{1: true, 2: true, 4: true}, 1)
	if want := (Spent{AllS: 20, BusyS: 11, OursS: 0.5, MeasuredS: 4, Chiefly: "hog (process 3)"}); got != want || math.Abs(got.OthersShare()-0.325) > 1e-9 {
		t.Errorf("%+v, others %v; want %+v", got, got.OthersShare(), want)
	}
	// Nobody in sight used it.
	got = w.account(machineTime{busy: 60 * time.Second, all: 160 * time.Second}, after, map[int]bool{2: true}, 1)
	if got.Chiefly != "" {
		t.Errorf("%+v", got)
	}
	// Samples and ticks need not agree.
	if got := (Spent{AllS: 10, BusyS: 1, MeasuredS: 1.1}).OthersShare(); got != 0 {
		t.Errorf("others used %v", got)
	}
}
