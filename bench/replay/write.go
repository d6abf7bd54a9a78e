package replay

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"breakbank/bench/result"
	"breakbank/loadgen/recording"
)

// The files of a run, beside those that package recording names.
const (
	ResultName   = "result.json"
	TimelineName = "timeline.jsonl"
)

// hlogInterval is the span of one histogram in the logs.
const hlogInterval = time.Second

// write writes all files of the run, the manifest last.
func (p *play) write(res *result.Result) error {
	records := p.recorder.Records()
	files := []struct {
		name  string
		write func(io.Writer) error
	}{
		{ResultName, func(w io.Writer) error { return writeJSON(w, res) }},
		{TimelineName, func(w io.Writer) error { return writeLines(w, res.Timeline) }},
		{recording.SeriesName, func(w io.Writer) error { return recording.WriteSeries(w, records) }},
		{recording.JournalName, func(w io.Writer) error { return recording.WriteJournal(w, records) }},
	}
	for _, clock := range recording.Clocks {
		files = append(files, struct {
			name  string
			write func(io.Writer) error
		}{recording.HLogName(clock), func(w io.Writer) error {
			return recording.WriteHLog(w, records, clock, p.clock.zero, hlogInterval)
		}})
	}
	dir := p.run.opts.Dir
	for _, file := range files {
		if err := writeFile(filepath.Join(dir, file.name), file.write); err != nil {
			return err
		}
	}
	if p.run.opts.Report != nil {
		if err := p.run.opts.Report(dir, res); err != nil {
			return err
		}
	}
	return writeManifest(dir, res)
}

// writeFile writes through a buffer and reports a full disk, which may show
// only at the end.
func writeFile(path string, write func(io.Writer) error) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("writing the result: %w", err)
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			err = fmt.Errorf("writing %s: %w", path, err)
		}
	}()
	w := bufio.NewWriter(f)
	if err := write(w); err != nil {
		return err
	}
	return w.Flush()
}

func writeJSON(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", " ")
	return encoder.Encode(v)
}

func writeLines(w io.Writer, events []result.Event) error {
	encoder := json.NewEncoder(w)
	for _, e := range events {
		if err := encoder.Encode(e); err != nil {
			return err
		}
	}
	return nil
}

// Read reads the result.json of a run's directory.
func Read(dir string) (*result.Result, error) {
	data, err := os.ReadFile(filepath.Join(dir, ResultName))
	if err != nil {
		return nil, fmt.Errorf("reading a result: %w", err)
	}
	var res result.Result
	if err := json.Unmarshal(data, &res); err != nil {
		return nil, fmt.Errorf("reading a result: %s: %w", filepath.Join(dir, ResultName), err)
	}
	if res.Schema != result.Schema {
		return nil, fmt.Errorf("reading a result: %s has schema %d, this breakbank reads schema %d",
			filepath.Join(dir, ResultName), res.Schema, result.Schema)
	}
	return &res, nil
}
