package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/types/known/timestamppb"

	"breakbank/platform/fault"
	"breakbank/platform/node"
	"breakbank/platform/process"
	"breakbank/platform/supervise"
	adminv1 "breakbank/proto/admin/v1"
)

// processTable is the processes of a platform that has several.
type processTable interface {
	// states are for people: parts first, then instances.
	states() []*adminv1.ProcessState
	// names are those that faults can be aimed at.
	names() []string
	signal(ctx context.Context, name string, s fault.Signal) error
	state(ctx context.Context, name string) (fault.ProcessState, error)
	// searchLogs asks every part; an error says which did not answer.
	searchLogs(ctx context.Context, of, text string) ([]*adminv1.SearchLogsResponse, error)
	// endAll and endControl end processes for good, so that others come back in
	// their place.
	endAll(ctx context.Context, next Topology, how *adminv1.EndPartRequest) error
	endControl(how *adminv1.EndPartRequest) error
}

// roleInstance is what a process is called that is an instance of a service.
const roleInstance = "instance"

func (c *control) states() []*adminv1.ProcessState {
	var states []*adminv1.ProcessState
	for _, p := range c.known() {
		client := c.client(p)
		s := &adminv1.ProcessState{
			Name: p.Name, Role: p.Role, Zone: p.Zone, AdminAddress: p.Admin,
			Reachable: client.Reachable(), Pid: client.PID(), Unready: client.Unready(),
		}
		if at := client.StartedAt(); !at.IsZero() {
			s.StartedAt = timestamppb.New(at)
		}
		states = append(states, s)
	}
	for _, name := range c.Routers() {
		n, _ := c.topology.node(name)
		for _, i := range c.nodes[name].Instances() {
			states = append(states, &adminv1.ProcessState{
				Name: i.Name, Role: roleInstance, Zone: n.Zone, Reachable: i.Ready, Pid: int64(i.PID),
				StartedAt: timestamppb.New(i.StartedAt), Unready: unreadyInstance(i),
			})
		}
	}
	return states
}

func unreadyInstance(i node.InstanceStatus) string {
	switch {
	case i.State == process.Stopped:
		return "stopped"
	case !i.Ready:
		return "not ready"
	}
	return ""
}

// names are those of all instances, and of parts that somebody looks after:
// what is to be done to an instance goes through its node, and so comes first.
func (c *control) names() []string {
	names := c.Instances()
	for _, p := range c.known() {
		names = append(names, p.Name)
	}
	return names
}

// instance finds an instance and the node that it runs on, if that can be
// asked: a node that stands still would do what it is told much later, when
// nobody wants it any more.
func (c *control) instance(name string) (nodeHandle, node.InstanceStatus, error) {
	for on, n := range c.nodes {
		for _, i := range n.Instances() {
			if i.Name != name {
				continue
			}
			if !c.answers(on) {
				return nil, i, fmt.Errorf("%s: its node %s does not answer", name, on)
			}
			return n, i, nil
		}
	}
	return nil, node.InstanceStatus{}, errNotHere
}

// answers says whether a node's process does.
func (c *control) answers(name string) bool {
	if c.supervisor != nil {
		s, err := c.supervisor.Status(name)
		return err == nil && s.State == supervise.Running
	}
	p, _ := c.topology.Part(name)
	return c.client(p).Reachable()
}

// nodeSignals are the signals of instances' processes.
var nodeSignals = map[fault.Signal]node.Signal{
	fault.SignalKill: node.SignalKill, fault.SignalStop: node.SignalStop, fault.SignalContinue: node.SignalContinue,
}

func (c *control) signal(ctx context.Context, name string, s fault.Signal) error {
	switch n, _, err := c.instance(name); {
	case err == nil:
		return n.SignalInstance(name, nodeSignals[s])
	case !errors.Is(err, errNotHere):
		return err
	}
	p, ok := c.topology.Part(name)
	switch {
	case !ok:
		return fmt.Errorf("%s: %w", name, errNotHere)
	case c.supervisor != nil:
		return c.supervised(ctx, name, s)
	case s == fault.SignalKill:
		return c.client(p).End(ctx, &adminv1.EndPartRequest{})
	}
	return fmt.Errorf("%s is a container: 'docker compose pause' stops one, 'unpause' has it go on", name)
}

func (c *control) supervised(ctx context.Context, name string, s fault.Signal) error {
	switch s {
	case fault.SignalStop:
		return c.supervisor.Pause(ctx, name)
	case fault.SignalContinue:
		return c.supervisor.Resume(ctx, name)
	}
	return c.supervisor.Kill(ctx, name)
}

func (c *control) state(_ context.Context, name string) (fault.ProcessState, error) {
	_, i, err := c.instance(name)
	switch {
	case err == nil:
		return fault.ProcessState{PID: i.PID, StartedAt: i.StartedAt, State: i.State}, nil
	case !errors.Is(err, errNotHere):
		return fault.ProcessState{}, err
	}
	p, ok := c.topology.Part(name)
	if !ok {
		if silent := slices.DeleteFunc(c.Routers(), c.answers); len(silent) > 0 {
			return fault.ProcessState{}, fmt.Errorf("%s: it may be on %s, which does not answer", name, strings.Join(silent, ", "))
		}
		return fault.ProcessState{}, fault.ErrNoProcess
	}
	if c.supervisor != nil {
		found, err := c.supervisor.Status(name)
		return fault.ProcessState{PID: found.PID, StartedAt: found.StartedAt, State: found.Process()}, err
	}
	client := c.client(p)
	if !client.Reachable() {
		return fault.ProcessState{}, fmt.Errorf("%s cannot be reached", name)
	}
	return fault.ProcessState{PID: int(client.PID()), StartedAt: client.StartedAt(), State: process.Running}, nil
}

// Processes names the processes that faults can be aimed at.
func (p *Platform) Processes() []string {
	if p.processes == nil {
		return nil
	}
	return p.processes.names()
}

// SignalProcess kills, stops or continues a process.
func (p *Platform) SignalProcess(ctx context.Context, name string, s fault.Signal) error {
	if p.processes == nil {
		return fmt.Errorf("%s: %w", name, errNotHere)
	}
	return p.processes.signal(ctx, name, s)
}

// ProcessState says what runs by a name now.
func (p *Platform) ProcessState(ctx context.Context, name string) (fault.ProcessState, error) {
	if p.processes == nil {
		return fault.ProcessState{}, fmt.Errorf("%s: %w", name, errNotHere)
	}
	return p.processes.state(ctx, name)
}
