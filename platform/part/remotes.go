package part

import (
	"context"
	"fmt"

	"breakbank/platform/node"
	"breakbank/platform/router"
	adminv1 "breakbank/proto/admin/v1"
)

// remoteMember is the etcd member of another process.
type remoteMember struct{ client *Client }

func (m remoteMember) Start(ctx context.Context, initialCluster, state string) error {
	return act(ctx, m.client, memberLimit, adminv1.PartServiceClient.StartMember,
		&adminv1.StartMemberRequest{InitialCluster: initialCluster, InitialClusterState: state})
}

func (m remoteMember) Stop(ctx context.Context) error {
	return act(ctx, m.client, memberLimit, adminv1.PartServiceClient.StopMember, &adminv1.StopMemberRequest{})
}

func (m remoteMember) Running() bool {
	v := m.client.view.Load()
	return v.reachable() && v.memberRuns
}

// remoteAPIServer is the API server of another process.
type remoteAPIServer struct{ client *Client }

func (a remoteAPIServer) Ready(resource string) bool {
	v := a.client.view.Load()
	return v.reachable() && v.ready[resource]
}

func (a remoteAPIServer) CacheRevision(resource string) int64 {
	if v := a.client.view.Load(); v.reachable() {
		return v.revisions[resource]
	}
	return 0
}

// remoteNode is the node of another process.
type remoteNode struct{ client *Client }

func (n remoteNode) Instances() []node.InstanceStatus {
	v := n.client.view.Load()
	instances := make([]node.InstanceStatus, len(v.instances))
	copy(instances, v.instances)
	if !v.reachable() {
		for i := range instances {
			instances[i].Ready = false
		}
	}
	return instances
}

func (n remoteNode) RouterStatus() node.RouterStatus {
	v := n.client.view.Load()
	s := v.router
	if !v.reachable() {
		s = node.RouterStatus{Incarnation: s.Incarnation, Status: router.Status{Detail: unreachable}}
	}
	s.Incarnation += v.routersBefore
	return s
}

func (n remoteNode) RestartRouter(ctx context.Context) error {
	return act(ctx, n.client, callLimit, adminv1.PartServiceClient.ReplaceRouter, &adminv1.ReplaceRouterRequest{})
}

func (n remoteNode) SignalInstance(name string, s node.Signal) error {
	for signal, meant := range signals {
		if meant == s {
			return act(n.client.life, n.client, callLimit, adminv1.PartServiceClient.SignalInstance,
				&adminv1.SignalInstanceRequest{Instance: name, Signal: signal})
		}
	}
	return fmt.Errorf("signal instance %s: there is no %v", name, s)
}
