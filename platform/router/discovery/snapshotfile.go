package discovery

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// snapshotName is the file in the router's own directory.
const snapshotName = "table.json"

// snapshotFile keeps the last good table on disk. It is replaced by renaming,
// so that a router that dies while writing leaves the one before; it is not
// synced, because what a power cut takes is only a cache.
type snapshotFile struct{ dir string }

// writeBytes is how much of a table is in memory while it is written.
const writeBytes = 32 << 10

// savedTable is what lies in the file, as JSON.
type savedTable struct {
	Revision int64     `json:"revision"`
	SavedAt  time.Time `json:"saved_at"`
	Entries  []Entry   `json:"entries"`
	Kept     []Kept    `json:"kept,omitempty"`
}

func (f snapshotFile) save(s SaveSnapshot) error {
	if f.dir == "" {
		return nil
	}
	if err := os.MkdirAll(f.dir, 0o755); err != nil {
		return fmt.Errorf("save the snapshot: %w", err)
	}
	// Two routers share the directory while one replaces the other.
	temporary, err := os.CreateTemp(f.dir, snapshotName+".*")
	if err != nil {
		return fmt.Errorf("save the snapshot: %w", err)
	}
	defer func() { _ = os.Remove(temporary.Name()) }() // gone already if all went well
	err = writeTable(temporary, s)
	if err := errors.Join(err, temporary.Close()); err != nil {
		return fmt.Errorf("save the snapshot: %w", err)
	}
	if err := os.Rename(temporary.Name(), filepath.Join(f.dir, snapshotName)); err != nil {
		return fmt.Errorf("save the snapshot: %w", err)
	}
	return nil
}

// writeTable writes a savedTable, piece by piece: it is a megabyte for 10,000
// addresses, which needs to be in memory no second time.
func writeTable(to io.Writer, s SaveSnapshot) error {
	w := bufio.NewWriterSize(to, writeBytes)
	piece := make([]byte, 0, writeBytes)
	fmt.Fprintf(w, `{"revision":%d,"saved_at":%q,"entries":[`, s.Revision, s.SavedAt.UTC().Format(time.RFC3339Nano))
	for i, entry := range s.Entries {
		piece = piece[:0]
		if i > 0 {
			piece = append(piece, ',')
		}
		piece = append(piece, "\n"...)
		_, _ = w.Write(appendEntry(piece, entry)) // Flush returns what fails
	}
	fmt.Fprint(w, "\n]")
	if len(s.Kept) > 0 {
		kept, err := json.Marshal(s.Kept)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, `,"kept":%s`, kept)
	}
	fmt.Fprint(w, "}\n")
	return w.Flush()
}

// appendEntry writes an entry as encoding/json would.
func appendEntry(to []byte, e Entry) []byte {
	to = appendText(append(to, `{"Service":`...), e.Service)
	to = append(to, `,"Endpoints":[`...)
	for i, ep := range e.Endpoints {
		if i > 0 {
			to = append(to, ',')
		}
		to = appendText(append(to, `{"Addr":`...), ep.Addr)
		to = appendText(append(to, `,"Instance":`...), ep.Instance)
		if ep.Zone != "" {
			to = appendText(append(to, `,"Zone":`...), ep.Zone)
		}
		to = append(to, '}')
	}
	to = append(to, `],"Revision":`...)
	return append(strconv.AppendInt(to, e.Revision, 10), '}')
}

// appendText writes a JSON string.
func appendText(to []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(text) // a string can always be encoded
			return append(to, quoted...)
		}
	}
	to = append(append(to, '"'), text...)
	return append(to, '"')
}

// load returns the table on disk, or one without entries if there is none.
func (f snapshotFile) load() (SnapshotLoaded, error) {
	if f.dir == "" {
		return SnapshotLoaded{}, nil
	}
	data, err := os.ReadFile(filepath.Join(f.dir, snapshotName))
	if errors.Is(err, fs.ErrNotExist) {
		return SnapshotLoaded{}, nil
	}
	if err != nil {
		return SnapshotLoaded{}, fmt.Errorf("load the snapshot: %w", err)
	}
	var saved savedTable
	if err := json.Unmarshal(data, &saved); err != nil {
		return SnapshotLoaded{}, fmt.Errorf("load the snapshot: %w", err)
	}
	return SnapshotLoaded{Entries: saved.Entries, Kept: saved.Kept, Revision: saved.Revision, SavedAt: saved.SavedAt}, nil
}
