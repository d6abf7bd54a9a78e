package soak

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// metricsBytesMax bounds what a process may say of itself.
const metricsBytesMax = 16 << 20

// Reader reads processes: by /metrics of their admin listeners, or by /proc.
type Reader struct {
	client http.Client
	token  string
}

// NewReader returns a reader that shows a token, if it is not empty. Close ends
// its connections.
func NewReader(token string) *Reader {
	return &Reader{client: http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: 1},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, token: token}
}

// Close ends the reader's connections.
func (r *Reader) Close() { r.client.CloseIdleConnections() }

// Read implements Read.
func (r *Reader) Read(ctx context.Context, of []Process) ([]Reading, []error) {
	readings, errs := make([]Reading, len(of)), make([]error, len(of))
	var families map[string]*dto.MetricFamily
	var failed error
	if of[0].Admin != "" {
		families, failed = r.page(ctx, of[0].Admin)
	}
	for i, p := range of {
		switch {
		case failed != nil:
			errs[i] = failed
		case p.Admin == "":
			readings[i], errs[i] = readProc("/proc", p.PID)
		default:
			readings[i], errs[i] = readingOf(families, p.Instance)
		}
	}
	return readings, errs
}

// page reads the page of metrics of an admin listener, in Prometheus' text
// format.
func (r *Reader) page(ctx context.Context, admin string) (map[string]*dto.MetricFamily, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+admin+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	if r.token != "" {
		request.Header.Set("Authorization", "Bearer "+r.token)
	}
	answer, err := r.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("http://%s/metrics answers %s", admin, answer.Status)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(io.LimitReader(answer.Body, metricsBytesMax))
	if err != nil {
		return nil, fmt.Errorf("read http://%s/metrics: %w", admin, err)
	}
	return families, nil
}

// readingOf takes a process out of a page: that which has the page, or the
// instance below it of that name.
func readingOf(families map[string]*dto.MetricFamily, instance string) (Reading, error) {
	r := Reading{StartedS: gauge(families[startMetric], instance), Values: make([]float64, len(Table))}
	if math.IsNaN(r.StartedS) {
		return Reading{}, fmt.Errorf("the metrics have no %s of it", startMetric)
	}
	for i, series := range Table {
		r.Values[i] = gauge(families[series.Metric], instance)
	}
	return r, nil
}

// instanceLabel tells an instance's metrics from those of its parent, which has
// them on its page.
const instanceLabel = "instance"

// gauge is the gauge of an instance, or the one that is of none; NaN where there
// is none.
func gauge(family *dto.MetricFamily, instance string) float64 {
	for _, m := range family.GetMetric() {
		of := ""
		for _, l := range m.GetLabel() {
			if l.GetName() == instanceLabel {
				of = l.GetValue()
			}
		}
		if of == instance && m.GetGauge() != nil {
			return m.GetGauge().GetValue()
		}
	}
	return math.NaN()
}

// readProc reads a process of this machine below /proc (proc(5)). Its goroutines
// are not to be seen there.
func readProc(root string, pid int) (Reading, error) {
	dir := filepath.Join(root, strconv.Itoa(pid))
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return Reading{}, err
	}
	// The name, in parentheses, may hold anything: fields are counted behind it.
	const started, resident = 22 - 3, 24 - 3
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) <= resident {
		return Reading{}, fmt.Errorf("%s/stat has %d fields", dir, len(fields))
	}
	ticks, err := strconv.ParseFloat(fields[started], 64)
	if err != nil {
		return Reading{}, fmt.Errorf("%s/stat: %w", dir, err)
	}
	pages, err := strconv.ParseFloat(fields[resident], 64)
	if err != nil {
		return Reading{}, fmt.Errorf("%s/stat: %w", dir, err)
	}
	files, err := os.ReadDir(filepath.Join(dir, "fd"))
	if err != nil {
		return Reading{}, err
	}
	values := make([]float64, len(Table))
	for i, series := range Table {
		switch series.Name {
		case "memory":
			values[i] = pages * float64(os.Getpagesize())
		case "files":
			values[i] = float64(len(files))
		default:
			values[i] = math.NaN()
		}
	}
	return Reading{StartedS: ticks, Values: values}, nil
}
