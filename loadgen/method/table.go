package method

import (
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	// tableMaxBytes and tableRowsMax bound a CSV file, which is kept in memory.
	tableMaxBytes = 256 << 20
	tableRowsMax  = 5_000_000
)

// Table is the rows of a CSV file whose first line names the columns. It is not
// changed, and may be shared.
type Table struct {
	name    string
	columns []string
	rows    [][]string
	digest  [sha256.Size]byte // of the text
}

// ParseTable reads the text of a CSV file (RFC 4180). name is for errors.
func ParseTable(name string, text []byte) (*Table, error) {
	if len(text) > tableMaxBytes {
		return nil, fmt.Errorf("%s: %d MB of rows: a table has at most %d MB", name, len(text)>>20, tableMaxBytes>>20)
	}
	if !utf8.Valid(text) {
		return nil, fmt.Errorf("%s: it is not UTF-8 text", name)
	}
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(text, []byte("\ufeff"))))
	t := &Table{name: name, digest: sha256.Sum256(text)}
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		var at *csv.ParseError
		switch {
		case errors.As(err, &at) && errors.Is(err, csv.ErrFieldCount):
			return nil, fmt.Errorf("%s:%d: %d columns where the header has %d", name, at.Line, len(row), len(t.columns))
		case errors.As(err, &at):
			return nil, fmt.Errorf("%s:%d: %w", name, at.Line, at.Err)
		case err != nil:
			return nil, fmt.Errorf("%s: %w", name, err)
		case t.columns == nil:
			for i := range row {
				row[i] = strings.TrimSpace(row[i])
				if slices.Contains(row[:i], row[i]) {
					return nil, fmt.Errorf("%s:1: the header names the column %q twice", name, row[i])
				}
			}
			t.columns = row
			continue
		}
		if len(t.rows) == tableRowsMax {
			return nil, fmt.Errorf("%s: a table has at most %d rows", name, tableRowsMax)
		}
		t.rows = append(t.rows, row)
	}
	if len(t.rows) == 0 {
		return nil, fmt.Errorf("%s: it has no rows: the first line names the columns, the others are rows", name)
	}
	return t, nil
}

// ReadTable reads a CSV file.
func ReadTable(path string) (*Table, error) {
	text, err := readFile(path, tableMaxBytes)
	if err != nil {
		return nil, err
	}
	return ParseTable(path, text)
}

// Rows is how many rows there are.
func (t *Table) Rows() int { return len(t.rows) }

// column is the place of a column.
func (t *Table) column(name string) (int, error) {
	if t == nil {
		return 0, errors.New("there are no rows to take a column from: pass a CSV file")
	}
	if i := slices.Index(t.columns, name); i >= 0 {
		return i, nil
	}
	return 0, fmt.Errorf("%s has no column %q; its columns are %s", t.name, name, near(name, t.columns))
}

// readFile reads a file that is not longer than max.
func readFile(path string, max int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, cannotRead(path, err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, max+1))
	switch {
	case err != nil:
		return nil, cannotRead(path, err)
	case int64(len(text)) > max:
		return nil, fmt.Errorf("%s is longer than %d MB", path, max>>20)
	}
	return text, nil
}

// cannotRead says why, with the path once.
func cannotRead(path string, err error) error {
	var at *os.PathError
	if errors.As(err, &at) {
		err = at.Err
	}
	return fmt.Errorf("cannot read %s: %w", path, err)
}
