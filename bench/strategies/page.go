package strategies

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"os"
	"path/filepath"
)

//go:embed page.html
var page string

//go:embed page.css
var style string

// Names of what Write writes.
const (
	PageName   = "strategies.html"
	ResultName = "result.json"
)

// Write writes DIR/strategies.html, which opens offline, and DIR/result.json.
func Write(dir string, r *Result) error {
	html, err := Render(r)
	if err != nil {
		return err
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	for name, content := range map[string][]byte{PageName: html, ResultName: append(data, '\n')} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			return fmt.Errorf("write the result: %w", err)
		}
	}
	return nil
}

// Render returns the page.
func Render(r *Result) ([]byte, error) {
	t, err := template.New("strategies").Parse(page)
	if err != nil {
		return nil, fmt.Errorf("read the page's template: %w", err)
	}
	var html bytes.Buffer
	if err := t.Execute(&html, newPage(r)); err != nil {
		return nil, fmt.Errorf("write the page: %w", err)
	}
	return html.Bytes(), nil
}
