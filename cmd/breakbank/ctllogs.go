package main

import (
	"context"
	"fmt"

	adminv1 "breakbank/proto/admin/v1"
)

// ctlLogs looks for a text in the platform's logs.
type ctlLogs struct {
	Text string `arg:"" help:"What to look for, such as a request's id."`
	Part string `placeholder:"PREFIX" help:"Only in logs whose names begin so, such as router-. Default: all."`
}

func (l *ctlLogs) Run(ctx context.Context, ctl *ctlCommand, t terminal) error {
	if l.Text == "" {
		return misused("say what to look for: it is empty")
	}
	return ctl.do(ctx, t, func(c controls) error {
		found, err := c.SearchLogs(c.ctx, &adminv1.SearchLogsRequest{Part: l.Part, Text: l.Text})
		switch {
		case err != nil:
			return err
		case found.GetLogs() == 0:
			return fmt.Errorf("no log has a name that begins with %q", l.Part)
		case found.GetFound() == 0:
			return fmt.Errorf("%q is in none of the latest lines of %d logs", l.Text, found.GetLogs())
		}
		fmt.Fprintf(t.out, "%d lines in %d logs; the first, of %s:\n%s\n", found.GetFound(), found.GetLogs(), found.GetFirstLog(), found.GetFirst())
		return nil
	})
}
