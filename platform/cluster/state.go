package cluster

import (
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	adminv1 "breakbank/proto/admin/v1"
)

// state is a look at everything, as the live view and the report want it.
func (p *Platform) state() *adminv1.WatchStateResponse {
	now := time.Now()
	s := &adminv1.WatchStateResponse{
		At:           timestamppb.New(now),
		EtcdRevision: p.judge.seenRevision(),
		Members:      p.memberStates(),
		Faults:       p.faults(),
	}
	for _, name := range p.Routers() {
		s.Routers = append(s.Routers, p.routerState(name, now))
		for _, i := range p.nodes[name].Instances() {
			s.Instances = append(s.Instances, &adminv1.InstanceState{
				Name: i.Name, Service: i.Service, Version: i.Version, Node: name, Address: i.Address, Ready: i.Ready,
			})
		}
	}
	if p.processes != nil {
		s.Processes = p.processes.states()
	}
	for _, a := range p.apiServers {
		s.ApiServers = append(s.ApiServers, &adminv1.APIServerState{
			Name: a.name, CacheRevision: a.CacheRevision("endpoints"), Ready: a.Ready("endpoints"),
		})
	}
	return s
}

func (p *Platform) routerState(name string, now time.Time) *adminv1.RouterState {
	own, judged := p.nodes[name].RouterStatus(), p.judge.of(name)
	state := &adminv1.RouterState{
		Node: name, State: judged.state, Detail: judged.detail,
		Source: own.Source, Revision: own.Revision, Names: int64(len(own.Table)),
		EtcdReads: own.EtcdReads, Requests: own.Requests, Attempts: own.Attempts,
	}
	if !judged.behindSince.IsZero() {
		state.AgeMs = now.Sub(judged.behindSince).Milliseconds()
	}
	return state
}

func (p *Platform) memberStates() []*adminv1.Member {
	var states []*adminv1.Member
	for _, m := range p.registry.Members() {
		states = append(states, &adminv1.Member{
			Name: m.Name, ClientAddress: m.ClientAddr, Leader: m.Leader, Learner: m.Learner, Running: m.Running,
		})
	}
	return states
}

func (p *Platform) faults() []*adminv1.Fault {
	var states []*adminv1.Fault
	for _, f := range p.injector.List() {
		states = append(states, faultState(f))
	}
	return states
}
