package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"breakbank/bench/load"
)

// canWrite finds out before the load whether its files can be written.
func (c *loadCommand) canWrite() error {
	for _, file := range []struct{ flag, path string }{{"--csv-out", c.CSVOut}, {"--html", c.HTML}} {
		if file.path == "" {
			continue
		}
		if err := mayWrite(file.path); err != nil {
			return fmt.Errorf("%s: %w", file.flag, err)
		}
	}
	if c.HTML != "" && c.HTML == c.CSVOut {
		return fmt.Errorf("--html and --csv-out: both cannot be %s", c.HTML)
	}
	if c.Out == "" {
		return nil
	}
	return mustTakeResults(c.Out)
}

// mayWrite says why a file cannot be written, and leaves everything as it is.
func mayWrite(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return err
		}
		return errors.Join(f.Close(), os.Remove(path))
	case err != nil:
		return err
	case info.IsDir():
		return fmt.Errorf("%s is a directory: say a file", path)
	case !info.Mode().IsRegular():
		return nil // To open a pipe is to wait for its reader.
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return f.Close()
}

// write writes the files that were asked for.
func (c *loadCommand) write(t terminal, r *load.Result) error {
	var errs []error
	say := func(name, path string) {
		if !c.JSON {
			fmt.Fprintf(t.out, "%-8s%s\n", name, path)
		}
	}
	if c.Out != "" {
		dir := filepath.Join(c.Out, r.RunID)
		if err := load.Write(dir, r); err != nil {
			errs = append(errs, err)
		} else {
			say("report", filepath.Join(dir, load.ReportName))
		}
	}
	for _, file := range []struct {
		path  string
		write func(io.Writer, *load.Result) error
	}{{c.CSVOut, load.WriteCSV}, {c.HTML, load.WriteHTML}} {
		if file.path == "" {
			continue
		}
		if err := load.WriteTo(file.path, func(w io.Writer) error { return file.write(w, r) }); err != nil {
			errs = append(errs, err)
		} else {
			say("written", file.path)
		}
	}
	return errors.Join(errs...)
}
