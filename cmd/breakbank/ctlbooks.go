package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	adminv1 "breakbank/proto/admin/v1"
)

// ctlBooks has the books checked while they are in use.
type ctlBooks struct {
	JSON bool `help:"Print it as JSON and nothing else."`
}

// storeBooks is what is printed of a store.
type storeBooks struct {
	Store    string   `json:"store"`
	Entries  int64    `json:"entries"`
	Accounts int64    `json:"accounts"`
	Balances bool     `json:"balances"`
	Faults   []string `json:"faults"`
}

func (b *ctlBooks) Run(ctx context.Context, ctl *ctlCommand, t terminal) error {
	return ctl.do(ctx, t, func(c controls) error {
		checked, err := c.CheckBooks(c.ctx, &adminv1.CheckBooksRequest{})
		if err != nil {
			return err
		}
		if len(checked.GetStores()) == 0 {
			return errors.New("the platform has no books: no store was checked")
		}
		all := make([]storeBooks, 0, len(checked.GetStores()))
		var wrong []string
		for _, s := range checked.GetStores() {
			one := storeBooks{s.GetStore(), s.GetEntries(), s.GetAccounts(), len(s.GetFaults()) == 0, append([]string{}, s.GetFaults()...)}
			if all = append(all, one); !one.Balances {
				wrong = append(wrong, one.Store)
			}
		}
		if err := b.show(t, all); err != nil || len(wrong) == 0 {
			return err
		}
		return fmt.Errorf("the books do not balance: %s", strings.Join(wrong, ", "))
	})
}

func (b *ctlBooks) show(t terminal, all []storeBooks) error {
	if b.JSON {
		return t.showJSON(all)
	}
	w := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "STORE\tENTRIES\tACCOUNTS\tVERDICT")
	for _, s := range all {
		verdict := "balances"
		if !s.Balances {
			verdict = "does not balance"
		}
		fmt.Fprintf(w, "%s\t%d\t%d\t%s\n", s.Store, s.Entries, s.Accounts, verdict)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print the result: %w", err)
	}
	for _, s := range all {
		for _, fault := range s.Faults {
			fmt.Fprintf(t.out, "%s: %s\n", s.Store, fault)
		}
	}
	return nil
}
