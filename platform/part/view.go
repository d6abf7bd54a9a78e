package part

import (
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	"breakbank/platform/node"
	"breakbank/platform/process"
	"breakbank/platform/router"
	adminv1 "breakbank/proto/admin/v1"
)

// view is a part as it was seen. It never changes; the next one takes its
// place.
type view struct {
	// calls go to the process that is seen; nil while the part is unreachable,
	// and lost says why.
	calls    adminv1.PartServiceClient
	lost     string
	lostCode codes.Code
	// severed says that it was the other end that broke the connection, ended
	// that its process is gone for certain. Both only while it is unreachable.
	severed, ended bool

	process             identity
	incarnation, acts   int64
	generation, unready string

	memberRuns bool
	ready      map[string]bool  // by resource
	revisions  map[string]int64 // by resource
	router     node.RouterStatus
	// routersBefore is how many routers earlier processes have had.
	routersBefore int64
	instances     []node.InstanceStatus
	links         map[string]int // open connections, by name
}

func (v *view) reachable() bool { return v.calls != nil }

// without is the same part, unreachable.
func (v *view) without(why string) *view {
	next := *v
	next.calls, next.lost = nil, why
	return &next
}

// next is the part as a message shows it.
func (v *view) next(m *adminv1.WatchPartResponse, calls adminv1.PartServiceClient) *view {
	n := &view{
		calls: calls, process: identity{m.GetPid(), m.GetStartedAt().AsTime().UnixNano()},
		incarnation: v.incarnation, acts: m.GetActs(), generation: m.GetGeneration(), unready: m.GetUnready(),
		memberRuns: m.GetMember().GetRunning(), revisions: m.GetApiServer().GetCacheRevisions(),
		ready: map[string]bool{}, routersBefore: v.routersBefore, links: map[string]int{},
	}
	if v.process != n.process {
		n.incarnation++
		n.routersBefore += v.router.Incarnation
	}
	for _, resource := range m.GetApiServer().GetReady() {
		n.ready[resource] = true
	}
	for _, l := range m.GetLinks() {
		n.links[l.GetName()] = int(l.GetConnections())
	}
	n.router = decodeRouter(m.GetNode().GetRouter(), v.router)
	for _, i := range m.GetNode().GetInstances() {
		n.instances = append(n.instances, decodeInstance(i))
	}
	return n
}

// decodeRouter reads a router's status, and takes the table from the one before
// if that has not changed. The server sends it with the first message.
func decodeRouter(m *adminv1.RouterPart, before node.RouterStatus) node.RouterStatus {
	s := node.RouterStatus{
		Running: m.GetRunning(), Incarnation: m.GetIncarnation(),
		Status: router.Status{
			Synced: m.GetSynced(), Poisoned: m.GetPoisoned(), Partial: m.GetPartial(), Source: m.GetSource(),
			Revision: m.GetRevision(), Names: int(m.GetNames()), Detail: m.GetDetail(),
			Requests: m.GetRequests(), Attempts: m.GetAttempts(), EtcdReads: m.GetEtcdReads(),
			LastHeardAt: decodeTime(m.GetLastHeardAt()), Table: before.Table, TableVersion: before.TableVersion,
		},
	}
	if m.GetTableChanged() {
		s.Table = make(map[string][]string, len(m.GetTable()))
		for name, line := range m.GetTable() {
			s.Table[name] = line.GetAddresses()
		}
		s.TableVersion++
	}
	return s
}

func decodeInstance(m *adminv1.InstanceState) node.InstanceStatus {
	return node.InstanceStatus{
		Name: m.GetName(), Service: m.GetService(), Version: m.GetVersion(), Address: m.GetAddress(), Ready: m.GetReady(),
		PID: int(m.GetPid()), StartedAt: decodeTime(m.GetStartedAt()), State: process.State(m.GetProcessState()),
	}
}

func decodeTime(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}
