package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	adminv1 "breakbank/proto/admin/v1"
)

type ctlFault struct {
	List   ctlFaultList   `cmd:"" help:"List the kinds of fault and those injected."`
	Inject ctlFaultInject `cmd:"" help:"Inject a fault."`
	Clear  ctlFaultClear  `cmd:"" help:"Clear a fault."`
}

type ctlFaultList struct{}

func (ctlFaultList) Run(ctx context.Context, ctl *ctlCommand, t terminal) error {
	return ctl.do(ctx, t, func(c controls) error {
		faults, err := c.ListFaults(c.ctx, &adminv1.ListFaultsRequest{})
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "FAULT\tABOUT\tTARGETS, FOR EXAMPLE")
		for _, k := range faults.GetKinds() {
			const shown = 2
			fmt.Fprintf(w, "%s\t%s\t%s\n", k.GetName(), k.GetAbout(), strings.Join(k.GetTargets()[:min(shown, len(k.GetTargets()))], ", "))
		}
		if len(faults.GetInjected()) > 0 {
			fmt.Fprintln(w)
			printFaults(w, faults.GetInjected())
		}
		return w.Flush()
	})
}

func printFaults(w *tabwriter.Writer, faults []*adminv1.Fault) {
	fmt.Fprintln(w, "INJECTED\tTARGET\tSTATE\tPROOF")
	for _, f := range faults {
		state := "active"
		switch {
		case f.GetClearedAt() != nil:
			state = "cleared"
		case f.GetMomentary():
			state = "happened"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", f.GetName(), f.GetTarget(), state, f.GetEvidence())
	}
}

type ctlFaultInject struct {
	Name       string            `arg:"" help:"Fault, as 'fault list' names it."`
	Target     string            `arg:"" help:"Target, or a pattern such as 'apiserver-*/etcd/endpoints'."`
	Parameters map[string]string `arg:"" optional:"" help:"Parameters, such as latency_ms=200."`
}

func (f *ctlFaultInject) Run(ctx context.Context, ctl *ctlCommand, t terminal) error {
	return ctl.do(ctx, t, func(c controls) error {
		done, err := c.InjectFault(c.ctx, &adminv1.InjectFaultRequest{Name: f.Name, Target: f.Target, Parameters: f.Parameters})
		if err == nil {
			fmt.Fprintln(t.out, done.GetFault().GetEvidence())
		}
		return err
	})
}

type ctlFaultClear struct {
	Name   string `arg:"" help:"Fault."`
	Target string `arg:"" help:"Target, as it was injected."`
}

func (f *ctlFaultClear) Run(ctx context.Context, ctl *ctlCommand, t terminal) error {
	return ctl.do(ctx, t, func(c controls) error {
		done, err := c.ClearFault(c.ctx, &adminv1.ClearFaultRequest{Name: f.Name, Target: f.Target})
		if err == nil {
			fmt.Fprintln(t.out, done.GetFault().GetEvidence())
		}
		return err
	})
}
