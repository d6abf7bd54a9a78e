package part

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"breakbank/platform/node"
	"breakbank/platform/process"
	adminv1 "breakbank/proto/admin/v1"
)

const (
	// Between two attempts to reach a part lies a pause that doubles from one to
	// the other, less a random part of up to a half.
	redialLeast = 50 * time.Millisecond
	redialMost  = 500 * time.Millisecond

	// nodeInterval is how often a node looks whether it has something to tell:
	// its table is held against the truth five times a second.
	nodeInterval = 200 * time.Millisecond

	// messageBytesMax bounds a message from a part: a table of 100,000
	// addresses.
	messageBytesMax = 16 << 20

	roleNode = "node"
)

var (
	errSilent = fmt.Errorf("it has been silent for %v", silenceLimit)
	errDialed = errors.New("its connection is lost")
)

// follow watches the part until the client is closed, on one connection after
// the other.
func (c *Client) follow() {
	pause := redialLeast
	for {
		d := &dialing{}
		met, err := c.watch(d)
		if c.life.Err() != nil {
			c.show(c.view.Load().without("its client is closed"))
			return
		}
		c.lose(d, met, err)
		if met {
			pause = redialLeast
		}
		if !rest(c.life, pause/2+rand.N(pause/2)) {
			return
		}
		pause = min(2*pause, redialMost)
	}
}

// watch connects once, and watches until that ends. met says whether the part
// was heard.
func (c *Client) watch(d *dialing) (met bool, err error) {
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithContextDialer(d.dial), grpc.WithIdleTimeout(0),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(messageBytesMax)), grpc.WithDisableServiceConfig(),
	}
	if c.cfg.Credentials != nil {
		options = append(options, grpc.WithPerRPCCredentials(c.cfg.Credentials))
	}
	conn, err := grpc.NewClient("passthrough:///"+c.cfg.Address, options...)
	if err != nil {
		return false, err
	}
	defer conn.Close()
	ctx, cancel := context.WithCancelCause(c.life)
	defer cancel(nil)
	silence := time.AfterFunc(silenceLimit, func() { cancel(errSilent) })
	defer silence.Stop()
	calls := adminv1.NewPartServiceClient(conn)
	req := &adminv1.WatchPartRequest{}
	if c.cfg.Role == roleNode {
		req.IntervalMs = int32(nodeInterval.Milliseconds())
	}
	stream, err := calls.WatchPart(ctx, req)
	for err == nil {
		var m *adminv1.WatchPartResponse
		if m, err = stream.Recv(); err == nil {
			silence.Reset(silenceLimit)
			if err = c.take(m, calls); err == nil {
				met = true
			}
		}
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return met, err
}

// take takes in a message.
func (c *Client) take(m *adminv1.WatchPartResponse, calls adminv1.PartServiceClient) error {
	if m.GetName() != c.cfg.Name || m.GetRole() != c.cfg.Role {
		return fmt.Errorf("%s (role %s) answers at its address", m.GetName(), m.GetRole())
	}
	before := c.view.Load()
	next := before.next(m, calls)
	owed := c.breaks.take(next.process, m.GetLinks())
	c.show(next)
	if !before.reachable() {
		c.cfg.Log.Info("the part is there", "pid", next.process.pid, "incarnation", next.incarnation)
	}
	if len(owed) > 0 {
		c.work.Go(func() { c.payOff(owed) })
	}
	if before.incarnation == 0 {
		c.resume(next.instances)
	}
	return nil
}

// resume lets instances go on that stand still when their node is first met: it
// was a client that stopped them, whose process was killed before it let them go
// on, and nobody else would.
func (c *Client) resume(instances []node.InstanceStatus) {
	for _, i := range instances {
		if i.State != process.Stopped {
			continue
		}
		c.work.Go(func() {
			if err := c.Node().SignalInstance(i.Name, node.SignalContinue); err != nil {
				c.cfg.Log.Warn("an instance goes on standing still", "instance", i.Name, "error", err)
			}
		})
	}
}

// lose takes in that the part cannot be reached, or still not.
func (c *Client) lose(d *dialing, met bool, err error) {
	before := c.view.Load()
	why := status.Convert(err).Message()
	if failure := d.failure(); failure != nil {
		why = failure.Error()
	}
	next := before.without(why)
	next.lostCode = status.Code(err)
	next.severed = before.severed && !met || met && !errors.Is(err, errSilent)
	next.ended = before.ended && !met || before.process != identity{} && d.nobodyThere(next.severed)
	if next.lost != before.lost || next.severed != before.severed || next.ended != before.ended {
		c.show(next)
	}
	if before.reachable() || next.lostCode != before.lostCode { // not each of many attempts
		c.cfg.Log.Warn("the part cannot be reached", "error", why)
	}
}

// dialing makes the connection of one attempt, and no second one: that could be
// to another process than the one that is watched.
type dialing struct {
	dialed  atomic.Bool
	refused atomic.Pointer[error]
}

func (d *dialing) dial(ctx context.Context, address string) (net.Conn, error) {
	if d.dialed.Load() {
		return nil, errDialed
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		d.refused.Store(&err)
		return nil, err
	}
	d.dialed.Store(true)
	return conn, nil
}

// failure is why no connection was made; nil if one was.
func (d *dialing) failure() error {
	if err := d.refused.Load(); err != nil && !d.dialed.Load() {
		return *err
	}
	return nil
}

// nobodyThere says whether the attempt shows that the part's process is gone:
// its machine says that nobody listens, or the machine has gone with it, as a
// container's does. A name that is not found tells that only when the process
// has broken the connection before; it may be the network that is gone.
func (d *dialing) nobodyThere(severed bool) bool {
	err := d.failure()
	var notFound *net.DNSError
	return errors.Is(err, syscall.ECONNREFUSED) || severed && errors.As(err, &notFound) && notFound.IsNotFound
}

// rest waits for d; false means that ctx ended first.
func rest(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
