// Package report turns results into one HTML file that opens offline, on a
// phone and on paper: no script, no font, no picture from elsewhere.
//
// What the page says is decided in view.go, how lines become pictures in
// chart.go with the means of bench/chart, how it looks in report.html and
// report.css.
package report

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"os"
	"path/filepath"

	"breakbank/bench/result"
)

//go:embed report.html
var page string

//go:embed report.css
var style string

// FileName is the report's name inside a run's directory.
const FileName = "report.html"

// Write writes DIR/report.html about one result, or several that were played
// side by side, and returns its path.
func Write(dir string, results ...*result.Result) (string, error) {
	html, err := Render(results...)
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, FileName)
	if err := os.WriteFile(path, html, 0o644); err != nil {
		return "", fmt.Errorf("write the report: %w", err)
	}
	return path, nil
}

// Render returns the page.
func Render(results ...*result.Result) ([]byte, error) {
	if len(results) == 0 {
		return nil, errors.New("write the report: no result to write about")
	}
	t, err := template.New("report").Parse(page)
	if err != nil {
		return nil, fmt.Errorf("read the report's template: %w", err)
	}
	var html bytes.Buffer
	if err := t.Execute(&html, newPage(results)); err != nil {
		return nil, fmt.Errorf("write the report: %w", err)
	}
	return html.Bytes(), nil
}
