package load

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"breakbank/bench/manifest"
	"breakbank/loadgen/recording"
)

// The files of a load, beside those that package recording names.
const (
	ResultName   = "result.json"
	ReportName   = "report.html"
	ManifestName = manifest.Name
)

// Write writes all files of a load into a directory: the result, the report, the
// series, an HDR log of each clock, and a manifest of these. It makes the
// directory, which must not be there: it would be another run's.
func Write(dir string, r *Result) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	m := manifest.Manifest{RunID: r.RunID, Seed: r.Seed, Environment: r.Environment, Files: []manifest.File{}}
	for _, file := range files(r) {
		if err := WriteTo(filepath.Join(dir, file.name), file.write); err != nil {
			return err
		}
		sum, err := manifest.Sum(dir, file.name)
		if err != nil {
			return fmt.Errorf("write the manifest: %w", err)
		}
		m.Files = append(m.Files, sum)
	}
	return WriteTo(filepath.Join(dir, ManifestName), func(w io.Writer) error { return WriteJSON(w, m) })
}

type file struct {
	name  string
	write func(io.Writer) error
}

// files is the table of what is written.
func files(r *Result) []file {
	all := []file{
		{ResultName, func(w io.Writer) error { return WriteJSON(w, r) }},
		{ReportName, func(w io.Writer) error { return WriteHTML(w, r) }},
	}
	if r.snapshot == nil {
		return all
	}
	all = append(all, file{recording.SeriesName, func(w io.Writer) error { return WriteCSV(w, r) }})
	began, err := time.Parse(time.RFC3339, r.Environment.StartedUTC)
	for _, c := range recording.Clocks {
		all = append(all, file{recording.HLogName(c), func(w io.Writer) error {
			if err != nil {
				return fmt.Errorf("when the load began: %w", err)
			}
			return r.snapshot.WriteHLog(w, c, began)
		}})
	}
	return all
}

// WriteJSON writes a value, such as a result, as indented JSON.
func WriteJSON(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}

// WriteHTML writes the report.
func WriteHTML(w io.Writer, r *Result) error {
	html, err := Render(r)
	if err != nil {
		return err
	}
	_, err = w.Write(html)
	return err
}

// WriteCSV writes the series, a line for each second and journey.
func WriteCSV(w io.Writer, r *Result) error { return r.snapshot.WriteSeries(w) }

// WriteTo writes one file through write.
func WriteTo(path string, write func(io.Writer) error) error { return manifest.WriteFile(path, write) }
