package main

import (
	"encoding/json"
	"fmt"
	"io"
)

// terminal is where a command writes.
type terminal struct{ out, err io.Writer }

// show prints a result as JSON or as its text.
func (t terminal) show(asJSON bool, result any, text string) error {
	if asJSON {
		return t.showJSON(result)
	}
	fmt.Fprint(t.out, text)
	return nil
}

// showJSON prints a result as indented JSON.
func (t terminal) showJSON(result any) error {
	encoder := json.NewEncoder(t.out)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(result); err != nil {
		return fmt.Errorf("print the result: %w", err)
	}
	return nil
}
