package load

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
)

//go:embed page.html
var page string

//go:embed page.css
var style string

// Render returns the report of a result: one HTML file that opens offline.
func Render(r *Result) ([]byte, error) {
	t, err := template.New("load").Parse(page)
	if err != nil {
		return nil, fmt.Errorf("read the report's template: %w", err)
	}
	var html bytes.Buffer
	if err := t.Execute(&html, newPage(r)); err != nil {
		return nil, fmt.Errorf("write the report: %w", err)
	}
	return html.Bytes(), nil
}
