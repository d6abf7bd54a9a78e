package method

import (
	"errors"
	"fmt"
	"time"
)

// dataTemplate gives the messages of each request anew. There are two ways, which
// give the same: text/template and protojson, which know everything, and a plan,
// which knows most of what people write and costs a fiftieth.
type dataTemplate struct {
	parsed  *parsed
	encoder encoder
	options *DataOptions
	// plan is nil where the template is more than a plan can be. It may still
	// hand back single requests.
	plan *plan
}

func newDataTemplate(m *Method, text string, o *DataOptions) (*dataTemplate, error) {
	p, err := parseTemplate(text, o)
	if err != nil {
		return nil, err
	}
	t := &dataTemplate{parsed: p, encoder: newEncoder(m), options: o}
	t.plan = newPlan(&t.encoder, p)
	if err := p.escapeWithinStrings(); err != nil {
		return nil, err
	}
	return t, t.try(m)
}

// try has the template give requests as a run would. A row of a table may spoil
// what others do not, so all rows are tried, unless each would have to go
// through protojson and they are many: then some, evenly spread.
func (t *dataTemplate) try(m *Method) error {
	count, every := 16, 1
	if t.options.Table != nil && !t.options.RandomRows {
		count = max(count, t.options.Table.Rows())
	} else if t.options.Table != nil {
		count = max(count, min(t.options.Table.Rows(), samplesMax))
	}
	v := &values{options: t.options, at: time.Unix(1_500_000_000, 123_456_789)}
	if t.plan != nil && !t.agrees(v) {
		t.plan = nil
	}
	if t.plan == nil {
		every = max(1, count/samplesMax)
	}
	var buffer []byte
	given := 0
	for v.seq = 0; v.seq < count && given < triedMaxBytes; v.seq += every {
		var err error
		v.begin(forData)
		if buffer, err = t.appendRequest(v, buffer[:0], m.ClientStreaming, 0); err != nil {
			if t.options.Table != nil && !t.options.RandomRows && v.seq > 0 {
				return fmt.Errorf("with row %d of %s: %w", v.seq%t.options.Table.Rows()+1, t.options.Table.name, err)
			}
			return err
		}
		given += len(buffer)
	}
	return nil
}

// appendRequest appends what one request sends: all messages of a stream, or
// the one whose turn it is.
func (t *dataTemplate) appendRequest(v *values, dst []byte, stream bool, requests int) ([]byte, error) {
	if t.plan != nil {
		saved := v.pcg
		out, err := t.plan.appendRequest(v, dst, stream, requests)
		if !errors.Is(err, errNotPlanned) {
			return out, err
		}
		v.pcg, v.message = saved, 0
	}
	return t.appendSlowly(v, dst, stream, requests)
}

// appendSlowly goes through text/template and protojson.
func (t *dataTemplate) appendSlowly(v *values, dst []byte, stream bool, requests int) ([]byte, error) {
	for sent := 0; ; {
		v.message = sent
		text, err := t.parsed.execute(v, nil)
		if err != nil {
			return dst, err
		}
		// Nearly always it is one message, and nothing is wrong with it.
		if whole, err := t.encoder.appendWhole(dst, text); err == nil {
			if dst, sent = whole, sent+1; !stream || requests == 0 || sent == requests {
				return dst, nil
			}
			if len(dst) > dataMaxBytes {
				return dst, tooMuch(requests)
			}
			continue
		}
		nodes, err := t.encoder.nodes(text)
		if err != nil {
			return dst, fmt.Errorf("the template gives %s: %w", shown(text), err)
		}
		if !stream {
			return t.appendGiven(dst, text, nodes, v.seq%len(nodes))
		}
		for i := range nodes {
			if dst, err = t.appendGiven(dst, text, nodes, i); err != nil {
				return dst, err
			}
			if sent++; sent == requests {
				return dst, nil
			}
			if len(dst) > dataMaxBytes {
				return dst, tooMuch(requests)
			}
		}
		if requests == 0 {
			return dst, nil
		}
	}
}

func (t *dataTemplate) appendGiven(dst, text []byte, nodes []node, i int) ([]byte, error) {
	dst, err := t.encoder.appendPrefixed(dst, nodes, i)
	if err != nil {
		err = fmt.Errorf("the template gives %s: %w", shown(text), err)
	}
	return dst, err
}

// shown is the beginning of what a template gave, in one line.
func shown(text []byte) string {
	const max = 120
	line := oneLine(string(text))
	if len(line) > max {
		line = line[:max] + "…"
	}
	return line
}
