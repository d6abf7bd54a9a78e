package registry

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

const (
	// askLimit bounds a question that a member answers from its own memory.
	askLimit = time.Second
	// changeLimit bounds one attempt at a change of the membership, or at a
	// read, that needs the others too.
	changeLimit = 5 * time.Second
	// reconnect bounds the pause before a member that refused is tried again.
	reconnect = 200 * time.Millisecond
)

// line is a connection to one member: each question goes to that one and to no
// other. It is safe for concurrent use.
type line struct {
	addr string

	mu   sync.Mutex
	conn *grpc.ClientConn
}

func newLine(addr string) (*line, error) {
	conn, err := dialMember(addr)
	if err != nil {
		return nil, err
	}
	return &line{addr: addr, conn: conn}, nil
}

// dialMember prepares a connection, which is made when it is needed. The name
// of the host is looked up each time: a container that comes back may have
// another address.
func dialMember(addr string) (*grpc.ClientConn, error) {
	conn, err := grpc.NewClient("passthrough:///"+addr,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithNoProxy(), grpc.WithDisableServiceConfig(),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: reconnect / 10, Multiplier: 1.6, Jitter: 0.2, MaxDelay: reconnect},
			MinConnectTimeout: changeLimit,
		}))
	if err != nil {
		return nil, fmt.Errorf("connect to etcd at %s: %w", addr, err)
	}
	return conn, nil
}

// renew drops the connection for a new one: a member that hung, or whose
// network was cut, may be back long before the old connection is.
func (l *line) renew() {
	conn, err := dialMember(l.addr)
	if err != nil {
		return // The address was good before: it cannot fail.
	}
	l.mu.Lock()
	l.conn, conn = conn, l.conn
	l.mu.Unlock()
	_ = conn.Close()
}

func (l *line) close() error { return l.current().Close() }

func (l *line) current() *grpc.ClientConn {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.conn
}

// status asks the member about itself. Only one that has joined and serves
// answers.
func (l *line) status(ctx context.Context) (*pb.StatusResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	resp, err := pb.NewMaintenanceClient(l.current()).Status(ctx, &pb.StatusRequest{})
	return resp, rpctypes.Error(err)
}

// ownList is the member's own list of members, which may lag. A learner
// refuses to give its own.
func (l *line) ownList(ctx context.Context) ([]*pb.Member, error) {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	resp, err := pb.NewClusterClient(l.current()).MemberList(ctx, &pb.MemberListRequest{Linearizable: false})
	return resp.GetMembers(), rpctypes.Error(err)
}

// read is a linearizable read through the member, which takes a quorum. It
// waits for the member to come back.
func (l *line) read(ctx context.Context) error {
	_, err := pb.NewKVClient(l.current()).Range(ctx, &pb.RangeRequest{Key: []byte("/registry/quorum"), KeysOnly: true}, grpc.WaitForReady(true))
	return rpctypes.Error(err)
}

// change asks the member for something that the cluster must agree on.
func (l *line) change(ctx context.Context, do func(context.Context, pb.ClusterClient) error) error {
	ctx, cancel := context.WithTimeout(ctx, changeLimit)
	defer cancel()
	return rpctypes.Error(do(ctx, pb.NewClusterClient(l.current())))
}

// transient says whether another member, or the same one later, may answer
// what this one did not.
func transient(err error) bool {
	code := status.Code(err)
	var refused rpctypes.EtcdError
	if errors.As(err, &refused) {
		code = refused.Code()
	}
	return code == codes.Unavailable || code == codes.DeadlineExceeded || code == codes.Canceled
}
