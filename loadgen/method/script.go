package method

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
)

const (
	// scriptMaxBytes bounds a file of journeys, with all that it names.
	scriptMaxBytes = 256 << 20
	// stepsMax bounds the calls of a journey: their number is a byte of a seed.
	stepsMax = 255
	// thinkMax bounds a pause.
	thinkMax = time.Hour
)

// Script is a file of journeys, each of one or more calls:
//
//	csv: customers.csv              # for {{.CSV "column"}}; beside this file
//	rows: random                    # or: in turn
//	journeys:
//	  - name: look and pay
//	    weight: 3                   # its share; 1 if left out
//	    patience: 5s
//	    write: true
//	    steps:
//	      - method: bank.v1.Accounts/Get
//	        data: {id: '{{.CSV "account"}}'}
//	      - method: bank.v1.Payments/Pay
//	        think: 1s..4s           # a pause before the call
//	        data: "@pay.json"       # or JSON in a string
//	        metadata: ["x-request-id: {{.UUID}}"]
//	        codes: [OK, ALREADY_EXISTS]
//	      - method: bank.v1.Feed/Follow
//	        messages_min: 1         # of a stream of answers
//	      - method: bank.v1.Feed/Upload
//	        requests: 10            # messages of a stream of requests
//
// JSON of the same shape is read too. Scripts are not changed, and may be shared.
type Script struct {
	file     string
	root     *node
	table    *Table
	random   bool
	journeys []scriptJourney
}

type scriptJourney struct {
	line     int
	name     string
	weight   int
	patience time.Duration
	write    bool
	steps    []scriptStep
}

type scriptStep struct {
	line               int
	method             string
	data               string
	thinkMin, thinkMax time.Duration
	metadata           []string
	codes              []codes.Code
	messagesMin        int
	requests           int
}

// ParseScript reads a file of journeys. file is its path, for errors and for the
// files beside it that it names; these are read too.
func ParseScript(file string, text []byte) (*Script, error) {
	if len(text) > scriptMaxBytes {
		return nil, fmt.Errorf("%s is longer than %d MB", file, scriptMaxBytes>>20)
	}
	root, err := parseFile(file, text)
	if err != nil {
		return nil, err
	}
	s := &Script{file: file, root: root}
	if err := s.read(); err != nil {
		return nil, err
	}
	return s, nil
}

// Text is the script with all the files in it that it names, as JSON: ParseScript
// reads it anywhere.
func (s *Script) Text() []byte { return s.root.appendJSON(nil) }

// Methods are the names of the methods that it calls, each once.
func (s *Script) Methods() (names []string) {
	for i := range s.journeys {
		for j := range s.journeys[i].steps {
			if name := s.journeys[i].steps[j].method; !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// entry is one name that an object of the file may have.
type entry struct {
	name string
	read func(*node) error
}

// object reads the fields of an object, and refuses any other.
func (s *Script) object(n *node, what string, entries []entry) error {
	if n.kind != '{' {
		return s.at(n, fmt.Errorf("%s is written as names and values, not as %s", what, n.what()))
	}
	seen := map[string]bool{}
	for i := range n.fields {
		m := &n.fields[i]
		known := slices.IndexFunc(entries, func(e entry) bool { return e.name == m.name })
		if known < 0 {
			var names []string
			for _, e := range entries {
				names = append(names, e.name)
			}
			return s.at(&m.value, fmt.Errorf("%s has no %q; it has %s", what, m.name, near(m.name, names)))
		}
		if seen[m.name] {
			return s.at(&m.value, fmt.Errorf("%s: it is given twice", m.name))
		}
		seen[m.name] = true
		if err := entries[known].read(&m.value); err != nil {
			var already located
			if errors.As(err, &already) {
				return err
			}
			return s.at(&m.value, fmt.Errorf("%s: %w", m.name, err))
		}
	}
	return nil
}

// located is an error that says where it is.
type located struct{ error }

// Unwrap implements errors.Unwrap.
func (l located) Unwrap() error { return l.error }

func (s *Script) at(n *node, err error) error { return s.atLine(n.line, err) }

func (s *Script) atLine(line int, err error) error {
	return located{fmt.Errorf("%s:%d: %w", s.file, line, err)}
}

func (s *Script) read() error {
	err := s.object(s.root, "the file", []entry{
		{"csv", s.readTable},
		{"rows", func(n *node) error {
			s.random = n.text == "random"
			if n.text != "random" && n.text != "in turn" {
				return fmt.Errorf("%s is no order of rows: say random, or in turn", n.what())
			}
			return nil
		}},
		{"journeys", func(n *node) error {
			return list(n, func(n *node) error {
				j, err := s.readJourney(n)
				s.journeys = append(s.journeys, j)
				return err
			})
		}},
	})
	if err != nil {
		return err
	}
	if len(s.journeys) == 0 {
		return s.at(s.root, errors.New("there are no journeys: list them under the name journeys"))
	}
	for i := range s.journeys {
		for k := range i {
			if s.journeys[i].name == s.journeys[k].name {
				return s.atLine(s.journeys[i].line, fmt.Errorf("two journeys are called %s", s.journeys[i].name))
			}
		}
	}
	return nil
}

func (s *Script) readJourney(n *node) (scriptJourney, error) {
	j := scriptJourney{line: n.line, weight: 1}
	err := s.object(n, "a journey", []entry{
		{"name", func(n *node) (err error) { j.name, err = word(n); return err }},
		{"weight", func(n *node) (err error) { j.weight, err = whole(n, 0, 1_000_000); return err }},
		{"patience", func(n *node) (err error) { j.patience, err = duration(n, n.text); return err }},
		{"write", func(n *node) error {
			if j.write = n.text == "true"; n.kind != 't' {
				return fmt.Errorf("%s is neither true nor false", n.what())
			}
			return nil
		}},
		{"steps", func(n *node) error {
			return list(n, func(n *node) error {
				step, err := s.readStep(n, len(j.steps) == 0)
				j.steps = append(j.steps, step)
				return err
			})
		}},
	})
	switch {
	case err != nil:
		return j, err
	case len(j.steps) == 0:
		return j, s.at(n, errors.New("a journey without steps: list them under the name steps"))
	case len(j.steps) > stepsMax:
		return j, s.at(n, fmt.Errorf("%d steps: a journey has at most %d", len(j.steps), stepsMax))
	case j.name == "":
		j.name = j.steps[0].method
	}
	return j, nil
}

func (s *Script) readStep(n *node, first bool) (scriptStep, error) {
	step := scriptStep{line: n.line}
	err := s.object(n, "a step", []entry{
		{"method", func(n *node) (err error) {
			if step.method, err = word(n); err == nil {
				_, err = parseName(step.method)
			}
			return err
		}},
		{"data", func(n *node) (err error) { step.data, err = s.readData(n); return err }},
		{"think", func(n *node) (err error) {
			if first {
				return errors.New("it is a pause before a call, and the first has none before it")
			}
			step.thinkMin, step.thinkMax, err = think(n)
			return err
		}},
		{"metadata", func(n *node) error { return metadataLines(n, &step.metadata) }},
		{"codes", func(n *node) (err error) {
			var names []string
			if err = list(n, func(n *node) error { names = append(names, n.text); return nil }); err == nil {
				step.codes, err = ParseCodes(names)
			}
			return err
		}},
		{"messages_min", func(n *node) (err error) { step.messagesMin, err = whole(n, 0, 1_000_000_000); return err }},
		{"requests", func(n *node) (err error) { step.requests, err = whole(n, 1, requestsMax); return err }},
	})
	if err == nil && step.method == "" {
		err = s.at(n, errors.New("a step without a method: say method: package.Service/Method"))
	}
	return step, err
}

// readData reads data that is written as YAML, as JSON in a string, or in a file
// beside this one. What was in a file is in the script from then on.
func (s *Script) readData(n *node) (string, error) {
	switch n.kind {
	case '"':
	case 'n':
		return "", nil
	default:
		return string(n.appendJSON(nil)), nil
	}
	if path, ok := strings.CutPrefix(n.text, "@"); ok {
		text, err := readFile(s.beside(path), dataMaxBytes)
		if err != nil {
			return "", err
		}
		n.text = string(text)
	}
	return n.text, nil
}

// readTable reads the rows: a file's name, or its name and text.
func (s *Script) readTable(n *node) (err error) {
	if n.kind == '{' {
		var name, text string
		err = s.object(n, "csv", []entry{
			{"name", func(n *node) (err error) { name, err = word(n); return err }},
			{"text", func(n *node) (err error) { text, err = word(n); return err }},
		})
		if err == nil {
			s.table, err = ParseTable(name, []byte(text))
		}
		return err
	}
	path, err := word(n)
	if err != nil {
		return err
	}
	text, err := readFile(s.beside(path), tableMaxBytes)
	if err != nil {
		return err
	}
	if s.table, err = ParseTable(path, text); err == nil {
		*n = node{kind: '{', line: n.line, fields: []member{
			{"name", node{kind: '"', text: path, line: n.line}},
			{"text", node{kind: '"', text: string(text), line: n.line}},
		}}
	}
	return err
}

// beside is the path of a file that the script names.
func (s *Script) beside(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(s.file), path)
}

func list(n *node, each func(*node) error) error {
	if n.kind != '[' {
		return fmt.Errorf("it is a list, not %s", n.what())
	}
	for i := range n.items {
		if err := each(&n.items[i]); err != nil {
			return err
		}
	}
	return nil
}

func word(n *node) (string, error) {
	if n.kind != '"' || n.text == "" {
		return "", fmt.Errorf("%s is no text", n.what())
	}
	return n.text, nil
}

func whole(n *node, low, high int) (int, error) {
	x, err := strconv.Atoi(n.text)
	if n.kind != '0' || err != nil || x < low || x > high {
		return 0, fmt.Errorf("%s is not a whole number from %d to %d", n.what(), low, high)
	}
	return x, nil
}

func duration(n *node, text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if n.kind != '"' || err != nil || d <= 0 || d > thinkMax {
		return 0, fmt.Errorf("%s is not a time above 0 and up to an hour, as in 200ms or 1.5s", n.what())
	}
	return d, nil
}

// think reads a pause: "2s", or "1s..4s" for any between, each as likely.
func think(n *node) (least, most time.Duration, err error) {
	from, to, isRange := strings.Cut(n.text, "..")
	if least, err = duration(n, from); err != nil {
		return 0, 0, err
	}
	if !isRange {
		return least, least, nil
	}
	if most, err = duration(n, to); err == nil && most < least {
		err = fmt.Errorf("there is no time from %v to %v", least, most)
	}
	return least, most, err
}

// metadataLines reads metadata as a list of lines, or as names and values.
func metadataLines(n *node, lines *[]string) error {
	if n.kind == '{' {
		for i := range n.fields {
			m := &n.fields[i]
			if m.value.kind == '{' || m.value.kind == '[' {
				return fmt.Errorf("%s: %s is no value", m.name, m.value.what())
			}
			*lines = append(*lines, m.name+": "+m.value.text)
		}
		return nil
	}
	return list(n, func(n *node) error {
		line, err := word(n)
		*lines = append(*lines, line)
		return err
	})
}
