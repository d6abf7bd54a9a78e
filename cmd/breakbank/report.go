package main

import (
	"fmt"
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
		r, err := replay.Read(dir)
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
