package replay

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"breakbank/bench/manifest"
	"breakbank/bench/result"
	"breakbank/loadgen"
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
	records, names := p.recorder.Records(), loadgen.Names(p.run.full.Journeys)
	files := []struct {
		name  string
		write func(io.Writer) error
	}{
		{ResultName, func(w io.Writer) error { return writeJSON(w, res) }},
		{TimelineName, func(w io.Writer) error { return writeLines(w, res.Timeline) }},
		{recording.SeriesName, func(w io.Writer) error { return recording.WriteSeries(w, records, names) }},
		{recording.JournalName, func(w io.Writer) error { return recording.WriteJournal(w, records) }},
	}
	for _, clock := range recording.Clocks {
		files = append(files, struct {
			name  string
			write func(io.Writer) error
		}{recording.HLogName(clock), func(w io.Writer) error {
			return recording.WriteHLog(w, records, clock, p.clock.zero, hlogInterval, names)
		}})
	}
	dir := p.run.opts.Dir
	for _, file := range files {
		if err := manifest.WriteFile(filepath.Join(dir, file.name), file.write); err != nil {
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
