package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
)

// scrapeLimit bounds the reading of all instances' metrics.
const scrapeLimit = 500 * time.Millisecond

// Labels that tell the metrics of instances apart.
const (
	labelService  = "service"
	labelInstance = "instance"
)

// Gatherer returns the metrics of the instances that are processes of their own,
// each with labels service and instance. One that does not answer in time is
// left out, and an error says so. Without such instances it has nothing.
func (a *Agent) Gatherer() prometheus.Gatherer { return prometheus.GathererFunc(a.tenants.gather) }

func (t *tenants) gather() ([]*dto.MetricFamily, error) {
	ctx, cancel := context.WithTimeout(t.life, scrapeLimit)
	defer cancel()
	processes := t.processes()
	slices.SortFunc(processes, func(a, b *tenantProcess) int { return cmp.Compare(a.instance, b.instance) })
	found := make(prometheus.Gatherers, len(processes))
	var work sync.WaitGroup
	for i, p := range processes {
		work.Go(func() {
			families, err := p.scrape(ctx)
			if err != nil {
				err = fmt.Errorf("metrics of instance %s: %w", p.instance, err)
			}
			found[i] = prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { return families, err })
		})
	}
	work.Wait()
	return found.Gather()
}

// scrape reads the metrics of one process and labels them.
func (p *tenantProcess) scrape(ctx context.Context) ([]*dto.MetricFamily, error) {
	if p.process.silent() {
		// A probe is answered in microseconds. Should one be under way, the
		// worst that can happen is that this scrape waits for it.
		if err := p.process.check(ctx, true); err != nil {
			return nil, err
		}
	}
	var families []*dto.MetricFamily
	err := p.process.get(ctx, metricsPath, func(header http.Header, body io.Reader) error {
		decoder := expfmt.NewDecoder(body, expfmt.ResponseFormat(header))
		for {
			family := &dto.MetricFamily{}
			switch err := decoder.Decode(family); {
			case errors.Is(err, io.EOF):
				return nil
			case err != nil:
				return err
			}
			for _, m := range family.GetMetric() {
				p.label(m)
			}
			families = append(families, family)
		}
	})
	return families, err
}

// label says whose a metric is, unless it says so itself.
func (p *tenantProcess) label(m *dto.Metric) {
	for name, value := range map[string]string{labelService: p.service, labelInstance: p.instance} {
		if !slices.ContainsFunc(m.Label, func(l *dto.LabelPair) bool { return l.GetName() == name }) {
			m.Label = append(m.Label, &dto.LabelPair{Name: &name, Value: &value})
		}
	}
	slices.SortFunc(m.Label, func(a, b *dto.LabelPair) int { return cmp.Compare(a.GetName(), b.GetName()) })
}
