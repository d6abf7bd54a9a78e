// Package part is how the process that controls a platform sees its other
// processes, and tells them what to do: adminv1.PartService, both ends.
//
//	control                                  part (etcd, apiserver, node, …)
//	Client ── WatchPart: state, a beat a second ──  Server
//	       ── start, stop, replace, signal, break ─> Offers
//
// A [Client] answers from the last state seen. A part that has been silent for
// three seconds, because it stands still or the network is cut, is unreachable,
// as is one whose process has ended.
package part

import (
	"context"
	"time"

	"breakbank/platform/fault"
	"breakbank/platform/node"
	adminv1 "breakbank/proto/admin/v1"
)

// Offers is what a process offers about itself. What it does not have is nil.
// All of it is asked several times a second, from any goroutine, and must not
// block, except for what is handed a context.
type Offers struct {
	// Name is the part's in the topology, Role what it does there.
	Name, Role string
	// Generation names the settings that it runs with.
	Generation string
	// Unready says in a clause why it is not ready; "" when it is.
	Unready   func() string
	Member    Member
	APIServer APIServer
	Node      Node
	// Links are those in this process that can be broken, by name. The map must
	// not change.
	Links map[string]fault.Link
	// SearchLogs looks for a text in the latest lines of the logs whose names
	// begin with part.
	SearchLogs func(part, text string) *adminv1.SearchLogsResponse
	// End prepares the end of the process; Die, called once the answer has been
	// sent, is that end.
	End func(*adminv1.EndPartRequest) error
	Die func()
}

// Member is an etcd member.
type Member interface {
	// Start starts it with etcd's settings initial-cluster and
	// initial-cluster-state, and returns before it serves.
	Start(ctx context.Context, initialCluster, state string) error
	// Stop stops it as a crash would; its data stays.
	Stop(ctx context.Context) error
	Running() bool
}

// APIServer is an API server.
type APIServer interface {
	// Ready says whether the cache of a resource has had its first list.
	Ready(resource string) bool
	// CacheRevision is the revision of a resource's watch cache; 0 while it is
	// not there.
	CacheRevision(resource string) int64
}

// Node is a machine with a router and instances.
type Node interface {
	Instances() []node.InstanceStatus
	// RouterStatus is shared with others and must not be changed.
	RouterStatus() node.RouterStatus
	// RestartRouter replaces the router and does not wait for readiness.
	RestartRouter(ctx context.Context) error
	SignalInstance(name string, s node.Signal) error
}

const (
	// beatEvery is how long a watch is silent at most while the part lives.
	beatEvery = time.Second
	// silenceLimit is after how much silence a part counts as unreachable.
	silenceLimit = 3 * time.Second
)

// identity tells processes of a part from each other: in a container each has
// the same number.
type identity struct {
	pid       int64
	startedAt int64 // Unix nanoseconds
}
