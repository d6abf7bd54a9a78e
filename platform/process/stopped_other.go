//go:build !linux

package process

// Stopped says whether the process stands still (SIGSTOP).
func (p *Process) Stopped() bool { return p.State() == Stopped }
