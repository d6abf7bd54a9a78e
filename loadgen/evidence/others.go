package evidence

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"
	"unicode"
)

// OthersWatch finds out how much of the machine's processor time goes to
// processes that neither make the load nor are measured.
type OthersWatch struct {
	machine   machineTime
	processes map[int]process
	ok        bool
}

// Spent is how the machine's processors spent their time while a load lasted, in
// seconds. Interrupts are left out: they are nobody's, and many of them are the
// load's own packets.
type Spent struct {
	// AllS is the time of all processors together, BusyS what processes used of it.
	AllS, BusyS float64
	// OursS is the generator's own, MeasuredS that of the processes which are
	// measured.
	OursS, MeasuredS float64
	// Chiefly is which other program used most, by its name and its process's
	// number. Empty if none stands out: they are many, or short-lived.
	Chiefly string
}

// OthersShare is the share of the machine's time that went to other processes.
func (s Spent) OthersShare() float64 {
	if s.AllS <= 0 {
		return 0
	}
	return max(0, s.BusyS-s.OursS-s.MeasuredS) / s.AllS
}

// WatchOthers begins to watch.
func WatchOthers() *OthersWatch {
	w := &OthersWatch{}
	w.processes, w.ok = readProcesses()
	if w.ok {
		w.machine, w.ok = readMachineTime()
	}
	return w
}

// lookupMax bounds finding out where targets are.
const lookupMax = time.Second

// Stop says what was spent since. The load's connections must still be there: the
// measured are the processes that listen at those targets which are on this
// machine, their descendants, and who has connections with any of these within
// the machine, such as the instances behind a proxy, or their database.
//
// known is false where that cannot be found out: no target is on this machine,
// nobody is seen to listen there (it has ended, belongs to another user or lives
// in a container), it was started during the load, or the system does not tell.
func (w *OthersWatch) Stop(ctx context.Context, targets []string) (spent Spent, known bool) {
	if !w.ok {
		return Spent{}, false
	}
	now, ok := readMachineTime()
	if !ok {
		return Spent{}, false
	}
	processes, ok := readProcesses() // before the long search
	if !ok {
		return Spent{}, false
	}
	// The load may have been stopped by the end of its context.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookupMax)
	defer cancel()
	listeners := localAddresses(ctx, targets)
	if len(listeners) == 0 {
		return Spent{}, false
	}
	sockets, ok := readSockets()
	if !ok {
		return Spent{}, false
	}
	owners, ok := ownersOf(processes, sockets)
	if !ok {
		return Spent{}, false
	}
	roots, ok := sockets.listening(listeners, owners)
	if !ok || !w.wereThere(roots, processes) {
		return Spent{}, false
	}
	self := os.Getpid()
	spent = w.account(now, processes, sockets.reached(roots, owners, processes, self), self)
	return spent, spent.AllS > 0
}

// StopOwn is Stop where the measured are processes that this one has started, and
// theirs: of a platform of its own, of which parts end and begin meanwhile. known
// is false where it has none, or where the system does not tell.
func (w *OthersWatch) StopOwn() (spent Spent, known bool) {
	if !w.ok {
		return Spent{}, false
	}
	now, ok := readMachineTime()
	if !ok {
		return Spent{}, false
	}
	processes, ok := readProcesses()
	if !ok {
		return Spent{}, false
	}
	self := os.Getpid()
	own := descendants(self, processes)
	spent = w.account(now, processes, own, self)
	return spent, len(own) > 0 && spent.AllS > 0
}

// account says who used what since the watch began.
func (w *OthersWatch) account(now machineTime, processes map[int]process, measured map[int]bool, self int) Spent {
	spent := Spent{AllS: (now.all - w.machine.all).Seconds(), BusyS: (now.busy - w.machine.busy).Seconds()}
	others := map[string]program{}
	for pid, p := range processes {
		used, reaped := p.since(w.processes[pid])
		switch {
		case pid == self:
			spent.OursS = used.Seconds()
		case measured[pid]:
			// Its children which have ended were measured as well. What they had used
			// before is in there too: rather too much is taken for measured.
			spent.MeasuredS += (used + reaped).Seconds()
		default:
			o := others[p.name]
			others[p.name] = program{pid: pid, processes: o.processes + 1, used: o.used + used}
		}
	}
	most := time.Duration(spent.OthersShare() * spent.AllS * chieflyMin * float64(time.Second))
	for name, o := range others {
		if o.used > most {
			most, spent.Chiefly = o.used, o.called(name)
		}
	}
	return spent
}

// program is the processes of one name.
type program struct {
	pid, processes int
	used           time.Duration
}

// called is its name, which it chooses itself, as it can be printed, and its
// number, or how many there are.
func (p program) called(name string) string {
	name = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, name)
	if p.processes > 1 {
		return fmt.Sprintf("%s (%d processes)", name, p.processes)
	}
	return fmt.Sprintf("%s (process %d)", name, p.pid)
}

// chieflyMin is the share of what others used that makes one program the culprit.
const chieflyMin = 0.25

// wereThere says whether of each target at least one process that listens was
// there before: if all are new, those that were measured at first have ended, and
// what they used cannot be told.
func (w *OthersWatch) wereThere(roots [][]int, now map[int]process) bool {
	for _, pids := range roots {
		there := false
		for _, pid := range pids {
			before, was := w.processes[pid]
			there = there || was && before.started == now[pid].started
		}
		if !there {
			return false
		}
	}
	return true
}

// TellOthers notes what was spent while the load lasted, where that is known.
func (p *Pressure) TellOthers(spent Spent, known bool) {
	p.OthersKnown, p.OthersShare, p.OthersChiefly = known, 0, ""
	if known {
		p.OthersShare, p.OthersChiefly = spent.OthersShare(), spent.Chiefly
	}
}
