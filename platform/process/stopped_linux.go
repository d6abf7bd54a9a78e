package process

import "golang.org/x/sys/unix"

// cldStopped is what waitid says of a child that is stopped (CLD_STOPPED,
// sigaction(2)).
const cldStopped = 5

// Stopped says whether the process stands still (SIGSTOP). It costs a twentieth
// of what /proc does (BenchmarkStopped): the question is asked of each instance
// several times a second.
func (p *Process) Stopped() bool {
	var info unix.Siginfo
	// WNOWAIT: whoever asks next is told the same, and Wait its end.
	err := unix.Waitid(unix.P_PID, p.PID(), &info, unix.WSTOPPED|unix.WNOHANG|unix.WNOWAIT, nil)
	return err == nil && info.Code == cldStopped
}
