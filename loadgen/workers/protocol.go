package workers

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// protocolVersion is raised whenever an older worker would misunderstand this
// coordinator, or the other way round.
const protocolVersion = 1

// Subjects. A worker makes up an id and is spoken to at subjectTo + id; what it
// says goes to subjectFrom + id + "." + one of the words below.
const (
	subjectJoin = "breakbank.load.join"
	subjectTo   = "breakbank.load.to."
	subjectFrom = "breakbank.load.from."
)

// What workers say. Reports and failures are requests, answered by an ack.
const (
	sayBeat     = "beat"     // nothing: it lives
	sayReady    = "ready"    // the SHA-256 of its schedule, in hex
	sayProgress = "progress" // framed: a Progress, its snapshot
	sayReport   = "report"   // a piece of its report
	sayFailed   = "failed"   // why, one line
)

// What the coordinator orders.
const (
	orderBeat = "beat"
	orderJob  = "job"
	orderGo   = "go"
	orderStop = "stop"
)

const (
	// payloadMax is the largest message. NATS advises against more than 8 MB.
	payloadMax = 8 << 20
	// pieceMax is how much of a report goes in one message: little enough that
	// heartbeats on the same connection are not held up.
	pieceMax = 512 << 10
	// reportMax bounds a report. The times of the greatest schedule, of 20
	// million arrivals, take some 50 MB.
	reportMax = 128 << 20
	// lineMax bounds a reason, in bytes.
	lineMax = 500
	// idLen is the length of an id: 26 characters of crypto/rand.Text.
	idLen = 26
	// nameMax bounds a worker's name.
	nameMax = 64
)

// hello is how a worker asks to take part. Whatever else changes between
// versions, Protocol and welcome.Refused keep their names, so that each side
// can tell the other.
type hello struct {
	Protocol int    `json:"protocol"`
	ID       string `json:"id"`
	// Name may be empty; Host and PID make one then.
	Name string `json:"name"`
	Host string `json:"host"`
	PID  int    `json:"pid"`
	// Client is how the server calls the connection.
	Client uint64 `json:"client"`
}

// welcome answers a hello.
type welcome struct {
	Refused string        `json:"refused,omitempty"`
	Name    string        `json:"name"`
	Part    int           `json:"part"`
	Parts   int           `json:"parts"`
	Silence time.Duration `json:"silence_ns"`
}

// order is what the coordinator tells a worker.
type order struct {
	Kind string `json:"kind"`
	// Spec is of a job, Lead of go, Why of stop.
	Spec json.RawMessage `json:"spec,omitempty"`
	Lead time.Duration   `json:"lead_ns,omitempty"`
	Why  string          `json:"why,omitempty"`
}

// ack answers a report's piece, or a failure.
type ack struct {
	Refused string `json:"refused,omitempty"`
}

// piece is part of a report. The report's bytes from Offset on follow it.
type piece struct {
	Offset int `json:"offset"`
	Total  int `json:"total"`
}

var errFrame = errors.New("a message that ends before its time")

// frame puts parts behind each other, each with its length.
func frame(parts ...[]byte) []byte {
	var out []byte
	for _, p := range parts {
		out = binary.AppendUvarint(out, uint64(len(p)))
		out = append(out, p...)
	}
	return out
}

// unframe takes as many parts apart. They share data's memory.
func unframe(data []byte, parts int) ([][]byte, error) {
	out := make([][]byte, 0, parts)
	for range parts {
		n, size := binary.Uvarint(data)
		if size <= 0 || n > uint64(len(data)-size) {
			return nil, errFrame
		}
		out = append(out, data[size:size+int(n)])
		data = data[size+int(n):]
	}
	if len(data) > 0 {
		return nil, fmt.Errorf("a message with %d bytes too many", len(data))
	}
	return out, nil
}

// must marshals what always can be, and leaves JSON within it as long as it is.
func must(v any) []byte {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(fmt.Sprintf("workers: marshal %T: %v", v, err))
	}
	return bytes.TrimRight(out.Bytes(), "\n")
}

// line is the first line of a text, bounded.
func line(text string) string {
	text, _, _ = strings.Cut(strings.TrimSpace(text), "\n")
	if len(text) > lineMax {
		text = strings.ToValidUTF8(text[:lineMax], "") + "…"
	}
	return text
}

// validName says whether a worker may be called that: it is shown in results
// and is part of file names.
func validName(name string) bool {
	return name != "" && len(name) <= nameMax && name[0] != '-' && name[0] != '.' && !strings.ContainsFunc(name, notOfNames)
}

func notOfNames(c rune) bool { return c != '.' && notOfTokens(c) }

// nameOf is the name of a worker that was given none: host-pid-part.
func nameOf(h *hello, part int) string {
	host := strings.Map(func(c rune) rune {
		if notOfNames(c) {
			return '-'
		}
		return c
	}, h.Host)
	host = strings.TrimLeft(host, "-.")
	const hostMax = nameMax - len("-4194304-256")
	if len(host) > hostMax {
		host = host[:hostMax]
	}
	if host == "" {
		host = "worker"
	}
	return fmt.Sprintf("%s-%d-%d", host, h.PID, part+1)
}
