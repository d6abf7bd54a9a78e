package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"breakbank/bench/replay"
	"breakbank/bench/report"
	"breakbank/bench/result"
)

// reportCommand makes a report again from what runs left behind.
type reportCommand struct {
	Dirs []string `arg:"" type:"existingdir" help:"Directories of runs; several are compared in one report, written beside them."`
}

func (c *reportCommand) Run(t terminal) error {
	var results []*result.Result
	for _, dir := range c.Dirs {
		r, err := readResult(filepath.Join(dir, replay.ResultName))
		if err != nil {
			return usageError{err}
		}
		results = append(results, r)
	}
	dir := c.Dirs[0]
	if len(results) > 1 {
		dir = filepath.Dir(filepath.Clean(dir))
	}
	path, err := report.Write(dir, results...)
	if err != nil {
		return err
	}
	fmt.Fprintln(t.out, path)
	return nil
}

func readResult(path string) (*result.Result, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the result of a run: %w", err)
	}
	r := &result.Result{}
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("%s is not a result: %w", path, err)
	}
	if r.Schema != result.Schema {
		return nil, fmt.Errorf("%s has schema %d; this program reads schema %d", path, r.Schema, result.Schema)
	}
	return r, nil
}
