package doctor

import (
	"context"
	"math"
	"net"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"breakbank/platform/ports"
)

// portsTried is how many of the range are tried, evenly spread over it.
const portsTried = 1000

// probePorts tries to listen at ports of a range, and looks whether somebody is
// at the address of the control API.
func probePorts(ctx context.Context, r ports.Range, control string) Ports {
	p := Ports{Range: r, Control: control}
	step := max(1, (r[1]-r[0]+1)/portsTried)
	until := time.Now().Add(probePatience)
	for port := r[0]; port <= r[1] && time.Now().Before(until) && ctx.Err() == nil; port += step {
		p.Tried++
		l, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			p.Taken++
			continue
		}
		l.Close()
	}
	l, err := net.Listen("tcp4", control)
	if err != nil {
		p.ControlTaken = true
		return p
	}
	l.Close()
	return p
}

// openFilesMax is how many files a Go process may open: the runtime raises the
// soft limit to the hard one when it starts.
func openFilesMax() int64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	if limit.Cur > math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(limit.Cur)
}
