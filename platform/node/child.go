package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"breakbank/platform/process"
	"breakbank/platform/rpc"
	"breakbank/platform/telemetry"
)

// Child is what the process of an instance is made with.
type Child struct {
	// Constructors make instances, by service.
	Constructors map[string]Constructor
	// Gatherer has the process's metrics; nil for none.
	Gatherer prometheus.Gatherer
	// Stdout takes the one line that the node's process waits for, Stderr the
	// log, as JSON.
	Stdout, Stderr io.Writer
}

// killWait bounds how long a process whose parent is gone waits for its own
// end; it exits anyway.
const killWait = time.Second

var errOrphaned = errors.New("the node's process is gone")

// RunInstance is the whole of a process that a Spawner has started: it makes the
// instance that the specification describes, on the socket that it has
// inherited, and serves until ctx ends, whereupon it drains, or until the
// process that started it is gone, whereupon it ends at once. It returns nil
// after a drain that cut nothing off.
func RunInstance(ctx context.Context, specPath string, c Child) error {
	i, err := c.open(ctx, specPath)
	say := childNotice{Ready: err == nil}
	if err != nil {
		say.Failed = err.Error()
	}
	line, _ := json.Marshal(say) // Plain data: cannot fail.
	if _, wrote := fmt.Fprintf(c.Stdout, "%s\n", line); err == nil {
		err = wrote
	}
	if i == nil {
		return err
	}
	defer i.close()
	if err != nil {
		return err
	}
	return i.run(ctx)
}

// childInstance is the instance of this process.
type childInstance struct {
	spec     InstanceSpec
	instance Instance
	dialer   *rpc.Dialer
	listener net.Listener
	control  *http.Server
	work     sync.WaitGroup
	served   chan struct{}
	err      error // of Serve; valid once served
}

// open makes the instance and lets it serve.
func (c Child) open(ctx context.Context, specPath string) (*childInstance, error) {
	spec, err := readSpec(specPath)
	if err != nil {
		return nil, err
	}
	construct, known := c.Constructors[spec.Service]
	if !known {
		return nil, fmt.Errorf("instance specification %s: no such service %q", specPath, spec.Service)
	}
	l, conn, err := inherited()
	if err != nil {
		return nil, err
	}
	i := &childInstance{spec: spec, listener: l, served: make(chan struct{})}
	if spec.Shared {
		i.listener = newYielding(l)
	}
	logs, err := telemetry.OpenLogs(telemetry.LogsConfig{Also: c.Stderr})
	if err != nil {
		return nil, err
	}
	log := logs.Of(spec.Service).With("instance", spec.Instance)
	i.dialer = rpc.NewDialer(rpc.DialerConfig{
		RouterAddr: spec.RouterAddr, Service: spec.Service, Instance: spec.Instance, Log: log,
	})
	env := spec.env()
	env.Listener, env.Dialer, env.Log = i.listener, i.dialer, log
	starting, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	if i.instance, err = construct(starting, env); err != nil {
		_ = i.dialer.Close() // Nothing was sent yet.
		i.listener.Close()
		conn.Close()
		return nil, err
	}
	i.control = controlServer(c.Gatherer, logs, log)
	lone := newOneConn(conn)
	i.work.Go(func() { _ = i.control.Serve(lone) }) // Until close.
	i.work.Go(func() {
		defer close(i.served)
		i.err = i.instance.Serve()
	})
	return i, nil
}

// controlServer answers the node's process.
func controlServer(metrics prometheus.Gatherer, logs http.Handler, log *slog.Logger) *http.Server {
	if metrics == nil {
		metrics = prometheus.Gatherers{}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+healthPath, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.Handle("GET "+metricsPath, promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}))
	mux.Handle("GET "+logsPath, logs)
	return &http.Server{
		Handler: mux, Protocols: cleartextHTTP2(), ReadHeaderTimeout: startLimit,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// run lets the instance serve until it is to end.
func (i *childInstance) run(ctx context.Context) error {
	select {
	case <-i.served:
		if i.err != nil {
			return fmt.Errorf("%w: %w", errStopped, i.err)
		}
		return errStopped
	case <-process.Lifeline():
		return i.orphaned()
	case <-ctx.Done():
	}
	if y, shared := i.listener.(*yielding); shared {
		y.yield()
	}
	drained := make(chan error, 1)
	i.work.Go(func() {
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainLimit)
		defer cancel()
		drained <- i.instance.Drain(limited)
	})
	select {
	case err := <-drained:
		return err
	case <-process.Lifeline():
		return i.orphaned()
	}
}

// orphaned ends the process: what it was part of has crashed.
func (i *childInstance) orphaned() error {
	// Nothing that hangs may keep it.
	time.AfterFunc(killWait, func() { os.Exit(1) })
	i.instance.Kill()
	return errOrphaned
}

// close ends what is left and waits for it.
func (i *childInstance) close() {
	i.instance.Kill()
	<-i.served
	_ = i.dialer.Close() // Of connections whose owner is gone.
	_ = i.control.Close()
	i.work.Wait()
}

// inherited returns the socket to serve on and the control connection.
func inherited() (net.Listener, net.Conn, error) {
	// Whoever starts the command by hand has something else open there, if
	// anything: the Go runtime's own files, perhaps.
	for _, fd := range []int{listenerFD, controlFD} {
		var s syscall.Stat_t
		if err := syscall.Fstat(fd, &s); err != nil || s.Mode&syscall.S_IFMT != syscall.S_IFSOCK {
			return nil, nil, fmt.Errorf("file descriptor %d is no socket: this command is for node agents, which pass one", fd)
		}
	}
	file := os.NewFile(listenerFD, "listener")
	l, err := net.FileListener(file)
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, nil, fmt.Errorf("file descriptor %d is no listening socket: %w", listenerFD, err)
	}
	conn, err := connOf(os.NewFile(controlFD, "control"))
	if err != nil {
		return nil, nil, errors.Join(err, l.Close())
	}
	return l, conn, nil
}
