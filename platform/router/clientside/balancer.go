package clientside

import (
	"errors"
	"slices"
	"strings"
	"time"

	orcav3 "github.com/cncf/xds/go/xds/data/orca/v3"
	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/metadata"
	_ "google.golang.org/grpc/orca" // reads load reports
	"google.golang.org/grpc/resolver"

	"breakbank/platform/router/balance"
	"breakbank/platform/router/discovery"
	"breakbank/platform/rpc"
)

// balancerName is that of the balancer in a gRPC service config.
const balancerName = "breakbank"

// What the resolver tells the balancer besides addresses.
type (
	bindingAttribute  struct{} // binding, of a resolver's state
	instanceAttribute struct{} // string, of an endpoint
)

// binding is what balances the addresses of a resolver's state, and which of
// the table's entries they are.
type binding struct {
	service *service // nil while there is no library
	version int64
}

// serviceOf is the service that a target names.
func serviceOf(target resolver.Target) string {
	return target.Endpoint()[strings.LastIndex(target.Endpoint(), "/")+1:]
}

// builder makes the balancer of a channel.
type builder struct{}

func (builder) Name() string { return balancerName }

func (builder) Build(cc balancer.ClientConn, _ balancer.BuildOptions) balancer.Balancer {
	return &connector{cc: cc}
}

// connector keeps a connection to every instance of a service, and hands those
// that stand to the picker. grpc-go calls it from one goroutine at a time.
type connector struct {
	cc balancer.ClientConn
	binding
	instances []*instance
}

// instance is one of a service, with the connection to it. Its picker reads
// addr and name, which do not change; the rest is the connector's.
type instance struct {
	addr, name string
	conn       balancer.SubConn
	state      connectivity.State
	// failed: the last attempt to connect did, and none has succeeded since.
	failed bool
}

// UpdateClientConnState takes addresses. Connections to those that stay, stay.
func (b *connector) UpdateClientConnState(s balancer.ClientConnState) error {
	b.binding, _ = s.ResolverState.Attributes.Value(bindingAttribute{}).(binding)
	old := b.instances
	b.instances = nil
	for _, e := range s.ResolverState.Endpoints {
		name, _ := e.Attributes.Value(instanceAttribute{}).(string)
		addr := e.Addresses[0].Addr
		have := func(in *instance) bool { return in.addr == addr && in.name == name }
		if slices.ContainsFunc(b.instances, have) {
			continue
		}
		if i := slices.IndexFunc(old, have); i >= 0 {
			b.instances = append(b.instances, old[i])
			continue
		}
		if err := b.connect(addr, name); err != nil {
			return err
		}
	}
	for _, in := range old {
		if !slices.Contains(b.instances, in) {
			in.conn.Shutdown() // Calls under way on it end in their own time.
			if b.service != nil && !slices.ContainsFunc(b.instances, func(have *instance) bool { return have.addr == in.addr }) {
				b.service.forget(in.addr)
			}
		}
	}
	b.publish()
	return nil
}

// connect begins to connect to an instance.
func (b *connector) connect(addr, name string) error {
	in := &instance{addr: addr, name: name, state: connectivity.Idle}
	conn, err := b.cc.NewSubConn([]resolver.Address{{Addr: addr}}, balancer.NewSubConnOptions{
		StateListener: func(s balancer.SubConnState) { b.changed(in, s) },
	})
	if err != nil {
		return err
	}
	in.conn = conn
	b.instances = append(b.instances, in)
	conn.Connect()
	return nil
}

// changed takes in what became of a connection. One that ended is opened
// again, as long as the instance is in the table.
func (b *connector) changed(in *instance, s balancer.SubConnState) {
	if !slices.Contains(b.instances, in) {
		return
	}
	in.state = s.ConnectivityState
	switch in.state {
	case connectivity.Idle:
		in.conn.Connect()
	case connectivity.Ready:
		in.failed = false
	case connectivity.TransientFailure:
		in.failed = true
		if b.service != nil {
			b.service.report(discovery.Unreachable, in.addr, time.Now())
		}
	case connectivity.Connecting, connectivity.Shutdown:
	}
	b.publish()
}

// publish gives grpc-go a picker of what stands now.
func (b *connector) publish() {
	p := &picker{binding: b.binding, instances: len(b.instances)}
	for _, in := range b.instances {
		switch {
		case in.state == connectivity.Ready:
			p.connected = append(p.connected, in)
		case !in.failed:
			p.connecting = true
		}
	}
	state := connectivity.TransientFailure
	switch {
	case len(p.connected) > 0:
		state = connectivity.Ready
	case p.connecting:
		state = connectivity.Connecting
	}
	b.cc.UpdateState(balancer.State{ConnectivityState: state, Picker: p})
	if b.service != nil && len(p.connected) > 0 {
		b.service.table.caller.announce() // Calls may wait for just that.
	}
}

// ResolverError does not come: this package's resolver reports none.
func (b *connector) ResolverError(error) {}

// UpdateSubConnState is of an older grpc-go.
func (b *connector) UpdateSubConnState(balancer.SubConn, balancer.SubConnState) {}

// ExitIdle does nothing: no channel here is ever idle.
func (b *connector) ExitIdle() {}

// Close does nothing: grpc-go shuts the connections down.
func (b *connector) Close() {}

// none is what becomes of a call for which there is no connection: it waits for
// one that is under way, and for a picker that is as new as the table.
func (p *picker) none(a *attempt) error {
	t := a.service.table
	behind := t == t.caller.currentTable() && (p.service != a.service || p.version != t.version(a.service.name))
	if p.connecting || behind {
		return balancer.ErrNoSubConnAvailable
	}
	return errNoneLive
}

// loadOf is what an instance said of itself with its answer, nil if nothing.
// grpc-go reads it once the package orca is linked in.
func loadOf(report any) *balance.Load {
	orca, ok := report.(*orcav3.OrcaLoadReport)
	if !ok || orca == nil {
		return nil
	}
	return &balance.Load{QPS: orca.GetRpsFractional(), EPS: orca.GetEps(), Utilization: orca.GetApplicationUtilization()}
}

// errNoneLive is what a call fails with for which no instance is left.
var errNoneLive = errors.New("no live instance")

// picker picks among the instances that are connected.
type picker struct {
	binding
	connected  []*instance
	connecting bool // some other may yet be connected
	instances  int  // in the table
}

// Pick picks an instance that this call has not tried.
func (p *picker) Pick(info balancer.PickInfo) (balancer.PickResult, error) {
	a := attemptOf(info.Ctx)
	if a == nil {
		return balancer.PickResult{}, errNoneLive
	}
	if p.service == nil {
		return balancer.PickResult{}, p.none(a)
	}
	among := p.connected
	if len(a.tried) > 0 {
		among = slices.DeleteFunc(slices.Clone(among), func(in *instance) bool { return slices.Contains(a.tried, in.addr) })
	}
	if len(among) == 0 {
		return balancer.PickResult{}, p.none(a)
	}
	began := time.Now()
	in := p.service.pick(began, balance.Request{Method: info.FullMethodName, Key: a.key, Zone: p.service.table.caller.plane.options.Zone}, among)
	a.at.Store(in)
	a.picks.Add(1)
	result := balancer.PickResult{SubConn: in.conn, Done: func(done balancer.DoneInfo) {
		f := fateOf(a, done.Err, done.Trailer)
		p.service.done(outcome{
			at: in, began: began, now: time.Now(), fate: f,
			failed: failed(f, done.Err, done.BytesReceived), load: loadOf(done.ServerLoad),
		}, p.instances)
	}}
	if in.name != "" {
		result.Metadata = metadata.Pairs(rpc.InstanceWantMetadata, in.name)
	}
	return result, nil
}
