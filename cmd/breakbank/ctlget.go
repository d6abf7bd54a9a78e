package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	adminv1 "breakbank/proto/admin/v1"
)

type ctlGet struct {
	JSON bool `help:"Print it as JSON and nothing else."`
}

func (g *ctlGet) Run(ctx context.Context, ctl *ctlCommand, t terminal) error {
	return ctl.do(ctx, t, func(c controls) error {
		stream, err := c.WatchState(c.ctx, &adminv1.WatchStateRequest{})
		if err != nil {
			return err
		}
		state, err := stream.Recv()
		if err != nil {
			return err
		}
		if !g.JSON {
			return printState(t, state)
		}
		data, err := protojson.MarshalOptions{UseProtoNames: true, EmitUnpopulated: true}.Marshal(state)
		if err != nil {
			return fmt.Errorf("print the state: %w", err)
		}
		return t.showJSON(json.RawMessage(data))
	})
}

func printState(t terminal, s *adminv1.WatchStateResponse) error {
	w := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ROUTER\tSTATE\tBEHIND\tNAMES\tSOURCE\tDETAIL")
	for _, r := range s.GetRouters() {
		state := strings.ToLower(strings.TrimPrefix(r.GetState().String(), "DISCOVERY_STATE_"))
		fmt.Fprintf(w, "%s\t%s\t%v\t%d\t%s\t%s\n", r.GetNode(), state,
			time.Duration(r.GetAgeMs())*time.Millisecond, r.GetNames(), r.GetSource(), r.GetDetail())
	}
	fmt.Fprintln(w, "\nINSTANCE\tVERSION\tNODE\tADDRESS\tREADY")
	for _, i := range s.GetInstances() {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%v\n", i.GetName(), i.GetVersion(), i.GetNode(), i.GetAddress(), i.GetReady())
	}
	fmt.Fprintf(w, "\nETCD\tADDRESS\tROLE\t(endpoints last changed at revision %d)\n", s.GetEtcdRevision())
	for _, m := range s.GetMembers() {
		fmt.Fprintf(w, "%s\t%s\t%s\n", m.GetName(), m.GetClientAddress(), memberRole(m))
	}
	fmt.Fprintln(w, "\nAPI SERVER\tREADY\tENDPOINTS AT REVISION")
	for _, a := range s.GetApiServers() {
		fmt.Fprintf(w, "%s\t%v\t%d\n", a.GetName(), a.GetReady(), a.GetCacheRevision())
	}
	if len(s.GetProcesses()) > 0 {
		fmt.Fprintln(w)
		printProcesses(w, s)
	}
	if len(s.GetFaults()) > 0 {
		fmt.Fprintln(w)
		printFaults(w, s.GetFaults())
	}
	return w.Flush()
}

func memberRole(m *adminv1.Member) string {
	switch {
	case !m.GetRunning():
		return "stopped"
	case m.GetLeader():
		return "leader"
	case m.GetLearner():
		return "learner"
	}
	return "member"
}

// printProcesses shows the processes as they were at the state's time.
func printProcesses(w *tabwriter.Writer, s *adminv1.WatchStateResponse) {
	fmt.Fprintln(w, "PROCESS\tROLE\tZONE\tSTATE\tPID\tUP\tDETAIL")
	for _, p := range s.GetProcesses() {
		state, pid, up := "ready", "", ""
		switch {
		case !p.GetReachable():
			state = "unreachable"
		case p.GetUnready() != "":
			state = "not ready"
		}
		if p.GetPid() > 0 {
			pid = fmt.Sprint(p.GetPid())
		}
		if p.GetStartedAt() != nil && s.GetAt() != nil {
			up = s.GetAt().AsTime().Sub(p.GetStartedAt().AsTime()).Round(time.Second).String()
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", p.GetName(), p.GetRole(), p.GetZone(), state, pid, up, p.GetUnready())
	}
}
