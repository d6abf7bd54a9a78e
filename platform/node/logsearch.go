package node

import (
	"context"
	"io"
	"net/http"
	"sync"

	"google.golang.org/protobuf/proto"

	"breakbank/platform/telemetry"
	adminv1 "breakbank/proto/admin/v1"
)

// SearchLogs looks for a text in the latest lines of the instances that are
// processes of their own, whose log is their service's. Those that do not
// answer in time are left out. Without such instances it finds nothing.
func (a *Agent) SearchLogs(part, text string) *adminv1.SearchLogsResponse {
	return a.tenants.searchLogs(part, text)
}

func (t *tenants) searchLogs(part, text string) *adminv1.SearchLogsResponse {
	ctx, cancel := context.WithTimeout(t.life, scrapeLimit)
	defer cancel()
	processes := t.processes()
	found := make([]*adminv1.SearchLogsResponse, len(processes))
	var asking sync.WaitGroup
	for i, p := range processes {
		asking.Go(func() { found[i] = p.searchLogs(ctx, part, text) })
	}
	asking.Wait()
	return telemetry.MergeFound(found...)
}

// searchLogs is nil when the process does not answer.
func (p *tenantProcess) searchLogs(ctx context.Context, part, text string) *adminv1.SearchLogsResponse {
	if p.process.silent() && p.process.check(ctx, true) != nil {
		return nil
	}
	var found adminv1.SearchLogsResponse
	err := p.process.get(ctx, logsPath+"?"+telemetry.SearchQuery(part, text), func(_ http.Header, body io.Reader) error {
		raw, err := io.ReadAll(body)
		if err != nil {
			return err
		}
		return proto.Unmarshal(raw, &found)
	})
	if err != nil {
		return nil
	}
	return &found
}
