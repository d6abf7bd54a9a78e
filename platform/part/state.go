package part

import (
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"breakbank/platform/node"
	"breakbank/platform/registry"
	adminv1 "breakbank/proto/admin/v1"
)

// look is what the part is doing now, and apart from that the table of its
// router, which is large and changes rarely.
func (s *Server) look() (m *adminv1.WatchPartResponse, table map[string][]string, version uint64) {
	m = &adminv1.WatchPartResponse{
		Name: s.offers.Name, Role: s.offers.Role, Generation: s.offers.Generation,
		Pid: s.process.pid, StartedAt: timestamppb.New(time.Unix(0, s.process.startedAt)),
		Acts:  s.acts.Load(), // first: what follows is no older
		Links: s.breaks.states(),
	}
	if s.offers.Unready != nil {
		m.Unready = s.offers.Unready()
	}
	if s.offers.Member != nil {
		m.Member = &adminv1.MemberPart{Running: s.offers.Member.Running()}
	}
	if a := s.offers.APIServer; a != nil {
		m.ApiServer = &adminv1.APIServerPart{CacheRevisions: map[string]int64{}}
		for _, kind := range registry.Kinds {
			if a.Ready(kind.Resource) {
				m.ApiServer.Ready = append(m.ApiServer.Ready, kind.Resource)
			}
			m.ApiServer.CacheRevisions[kind.Resource] = a.CacheRevision(kind.Resource)
		}
	}
	if s.offers.Node != nil {
		router := s.offers.Node.RouterStatus()
		m.Node = &adminv1.NodePart{Router: encodeRouter(router), Instances: s.instances()}
		table, version = router.Table, router.TableVersion
	}
	return m, table, version
}

func encodeRouter(s node.RouterStatus) *adminv1.RouterPart {
	m := &adminv1.RouterPart{
		Running: s.Running, Incarnation: s.Incarnation, Synced: s.Synced, Poisoned: s.Poisoned, Partial: s.Partial,
		Source: s.Source, Revision: s.Revision, Names: int64(s.Names), Detail: s.Detail,
		Requests: s.Requests, Attempts: s.Attempts, EtcdReads: s.EtcdReads,
	}
	if !s.LastHeardAt.IsZero() {
		m.LastHeardAt = timestamppb.New(s.LastHeardAt)
	}
	return m
}

func (s *Server) instances() []*adminv1.InstanceState {
	instances := s.offers.Node.Instances()
	states := make([]*adminv1.InstanceState, len(instances))
	for n, i := range instances {
		states[n] = &adminv1.InstanceState{
			Name: i.Name, Service: i.Service, Version: i.Version, Node: s.offers.Name, Address: i.Address, Ready: i.Ready,
			Pid: int64(i.PID), ProcessState: string(i.State),
		}
		if !i.StartedAt.IsZero() {
			states[n].StartedAt = timestamppb.New(i.StartedAt)
		}
	}
	return states
}

func encodeTable(table map[string][]string) map[string]*adminv1.Addresses {
	encoded := make(map[string]*adminv1.Addresses, len(table))
	for name, addresses := range table {
		encoded[name] = &adminv1.Addresses{Addresses: addresses}
	}
	return encoded
}

// sentTable is the table that a watcher has.
type sentTable struct {
	lines   map[string][]string
	version uint64
	known   bool
}

// is says whether a table is the one that was sent. Where nobody keeps count of
// its versions it is compared.
func (t sentTable) is(table map[string][]string, version uint64) bool {
	if !t.known || t.version != version {
		return false
	}
	return version != 0 || maps.EqualFunc(t.lines, table, slices.Equal)
}
