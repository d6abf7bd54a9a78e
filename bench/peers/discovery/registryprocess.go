package discovery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"breakbank/platform/apiserver"
	"breakbank/platform/ports"
	"breakbank/platform/registry"
)

const (
	members    = 3 // of etcd, and as many API servers
	startLimit = 30 * time.Second
	readyEach  = 10 * time.Millisecond
)

// ServeRegistry is the child process: etcd, API servers, and the writer. It
// obeys orders until they end, which they do when the parent does.
func ServeRegistry(ctx context.Context, orders io.Reader, answers io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "breakbank-discovery-")
	if err != nil {
		return fmt.Errorf("directory for etcd: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	r := &registryProcess{out: json.NewEncoder(answers)}
	defer func() { err = errors.Join(err, r.close()) }()
	if err := r.start(ctx, dir); err != nil {
		return err
	}
	if err := r.answer(answer{APIServers: r.bases, Etcd: r.cluster.ClientAddrs()}); err != nil {
		return err
	}
	incoming := readOrders(orders)
	for {
		select {
		case <-ctx.Done():
			return nil
		case o, more := <-incoming:
			if !more {
				return nil
			}
			if err := r.obey(ctx, o); err != nil {
				return err
			}
		}
	}
}

// readOrders reads in a goroutine that ends with the orders; a process that is
// told to stop does not wait for that.
func readOrders(from io.Reader) <-chan order {
	incoming := make(chan order)
	go func() {
		defer close(incoming)
		for d := json.NewDecoder(from); ; {
			var o order
			if d.Decode(&o) != nil {
				return
			}
			incoming <- o
		}
	}()
	return incoming
}

// registryProcess is what the child runs.
type registryProcess struct {
	out     *json.Encoder
	cluster *registry.Cluster
	servers []*apiserver.Server
	bases   []string
	etcd    *clientv3.Client
	writer  *writer
}

func (r *registryProcess) start(ctx context.Context, dir string) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	free := ports.New()
	var err error
	if r.cluster, err = registry.StartCluster(ctx, registry.ClusterConfig{Dir: dir, Members: members, Address: free.Address}); err != nil {
		return err
	}
	addrs := r.cluster.ClientAddrs()
	if r.etcd, err = clientv3.New(clientv3.Config{Endpoints: addrs, Logger: zap.NewNop()}); err != nil {
		return fmt.Errorf("connect to etcd: %w", err)
	}
	r.writer = newWriter(registry.NewStore(r.etcd))
	for i := range members {
		l, err := free.Listen()
		if err != nil {
			return fmt.Errorf("address for an API server: %w", err)
		}
		// Not this function's context: the server lives until it is closed.
		s, err := apiserver.Start(context.WithoutCancel(ctx), apiserver.Config{
			Name: fmt.Sprintf("apiserver-%d", i), Listener: l,
			EtcdEndpoint: func(string) string { return addrs[i] },
		})
		if err != nil {
			return err
		}
		r.servers = append(r.servers, s)
		r.bases = append(r.bases, "http://"+l.Addr().String())
	}
	return r.waitReady(ctx)
}

func (r *registryProcess) waitReady(ctx context.Context) error {
	tick := time.NewTicker(readyEach)
	defer tick.Stop()
	for _, s := range r.servers {
		for !s.Ready(resource) {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return fmt.Errorf("wait for the API servers: %w", ctx.Err())
			}
		}
	}
	return nil
}

func (r *registryProcess) obey(ctx context.Context, o order) error {
	var a answer
	var err error
	switch {
	case o.Fill != nil:
		err = r.writer.fill(ctx, *o.Fill)
	case o.Change != nil:
		a.Commits, err = r.writer.change(ctx, *o.Change)
	}
	if err != nil {
		a.Error = err.Error()
	}
	return r.answer(a)
}

func (r *registryProcess) answer(a answer) error {
	cpu, err := ownCPU()
	if err != nil {
		return err
	}
	a.CPU = cpu
	if err := r.out.Encode(a); err != nil {
		return fmt.Errorf("answer the parent: %w", err)
	}
	return nil
}

func (r *registryProcess) close() error {
	var errs []error
	for _, s := range r.servers {
		errs = append(errs, s.Close())
	}
	if r.etcd != nil {
		errs = append(errs, r.etcd.Close())
	}
	if r.cluster != nil {
		errs = append(errs, r.cluster.Close())
	}
	return errors.Join(errs...)
}

// ownCPU is the processor time that this process has used.
func ownCPU() (time.Duration, error) {
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &used); err != nil {
		return 0, fmt.Errorf("ask for the processor time used: %w", err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano()), nil
}
