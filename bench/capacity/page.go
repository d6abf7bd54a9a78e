package capacity

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"breakbank/bench/chart"
)

//go:embed page.html
var page string

//go:embed page.css
var style string

// Names of what Write writes.
const (
	PageName   = "capacity.html"
	ResultName = "result.json"
)

// Write writes DIR/capacity.html, which opens offline, and DIR/result.json.
func Write(dir string, r *Result) error {
	html, err := Render(r)
	if err != nil {
		return err
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	for _, file := range []struct {
		name    string
		content []byte
	}{{PageName, html}, {ResultName, append(data, '\n')}} {
		if err := os.WriteFile(filepath.Join(dir, file.name), file.content, 0o644); err != nil {
			return fmt.Errorf("write the result: %w", err)
		}
	}
	return nil
}

// Render returns the page.
func Render(r *Result) ([]byte, error) {
	t, err := template.New("capacity").Parse(page)
	if err != nil {
		return nil, fmt.Errorf("read the page's template: %w", err)
	}
	var html bytes.Buffer
	if err := t.Execute(&html, newPage(r)); err != nil {
		return nil, fmt.Errorf("write the page: %w", err)
	}
	return html.Bytes(), nil
}

// pageView is the whole page.
type pageView struct {
	Style                 template.CSS
	Title, Number, Lead   string
	Verdict, VerdictClass string
	Facts, Made           []factView
	Reasons               []string
	Pictures              []pictureView
	Columns               []string
	Rows                  []rowView
	Command               string
}

type (
	factView struct{ Name, Value string }
	rowView  struct {
		Cells       []string
		Class, Says string
	}
)

func newPage(r *Result) pageView {
	number, lead, _ := strings.Cut(headline(r), "/s")
	p := pageView{
		Style: template.CSS(chart.Style + style), Title: r.Scenario,
		Number: number + "/s", Lead: strings.TrimLeft(lead, " ;:"),
		Verdict: verdict(r), VerdictClass: "good",
		Facts: []factView{
			{"objective", r.Objective},
			{"resolution", percent(r.Resolution)},
			{"probes", strconv.Itoa(len(r.Probes))},
			{"connections", strconv.Itoa(r.Connections)},
			{"seed", strconv.FormatUint(r.Seed, 10)},
		},
		Reasons: slices.Concat(r.InvalidReasons, r.IllustrativeReasons),
		Columns: columns,
		Command: strings.Join(append([]string{"breakbank"}, r.Environment.Flags...), " "),
	}
	if lead == "" {
		p.Number, p.Lead = "", headline(r)
	}
	if !r.Valid {
		p.VerdictClass = "bad"
	}
	for _, draw := range []func(*Result) (pictureView, bool){goodputPicture, responsePicture, searchPicture} {
		if v, any := draw(r); any {
			p.Pictures = append(p.Pictures, v)
		}
	}
	for _, row := range tableOf(r)[1:] {
		last := len(row) - 1
		outcome, _, _ := strings.Cut(row[last], " ")
		p.Rows = append(p.Rows, rowView{Cells: row[:last], Class: strings.TrimSuffix(outcome, ":"), Says: row[last]})
	}
	e := r.Environment
	p.Made = []factView{
		{"effort", effort(r)},
		{"targets", strings.Join(r.Targets, ", ")},
		{"transport", r.Transport},
		{"machine", fmt.Sprintf("%s, %d cores, %.0f GiB", e.Machine, e.Cores, e.MemoryGiB)},
		{"system", fmt.Sprintf("%s/%s, kernel %s", e.OS, e.Arch, e.Kernel)},
		{"Go", e.Go},
		{"commit", e.Commit},
		{"started", e.StartedUTC},
	}
	return p
}
