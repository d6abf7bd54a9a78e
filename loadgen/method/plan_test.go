package method

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"
	"pgregory.net/rapid"
)

// oddities are what rows may hold: numbers in every guise, and what is none.
var oddities = []string{
	"0", "5", "-5", "-0", "007", "+5", "1.0", "1.5", "1e3", "1E2", " 5", "5 ", "", "NaN", "Infinity", "-Infinity", "1_000", "0x10",
	"2147483647", "2147483648", "-2147483648", "4294967295", "4294967296", "9223372036854775807", "9223372036854775808",
	"18446744073709551615", "18446744073709551616", "1e39", "1e400", "-1e-400", "3.4e38", "true", "false", "null", "TRUE",
	"COLOUR_RED", "colour_red", "COLOUR_UNSPECIFIED", "1", "AAEC", "AAE=", "AAE", "_-8=", "A", "a\"b\\c", "line\nline", "é€😀", "\ue000",
	"2017-10-27T14:00:00Z", "2017-10-27T14:00:00.5Z", "2017-10-27T14:00:00+01:00", "2017-10-27t14:00:00z", "0000-01-01T00:00:00Z",
	"2017-10-27T14:00:00.1234567891Z", "2017-10-27T14:00:00,5Z", "9999-12-31T23:59:59Z", "10000-01-01T00:00:00Z", "1970-01-01T00:00:00Z",
	`{"text":"x"}`, "[]",
}

// writer writes JSON with templates for messages of a type, some of which fits.
type writer struct {
	*rapid.T
	depth int
}

func (w *writer) message(d protoreflect.MessageDescriptor) string {
	w.depth++
	defer func() { w.depth-- }()
	var fields []string
	count := rapid.IntRange(0, 5).Draw(w.T, "fields")
	for range count {
		f := d.Fields().Get(rapid.IntRange(0, d.Fields().Len()-1).Draw(w.T, "field"))
		name := rapid.SampledFrom([]string{f.TextName(), f.JSONName()}).Draw(w.T, "name")
		fields = append(fields, fmt.Sprintf("%q: %s", name, w.field(f)))
	}
	return "{" + strings.Join(fields, ", ") + "}"
}

func (w *writer) field(f protoreflect.FieldDescriptor) string {
	var values []string
	switch {
	case f.IsMap():
		for i := range rapid.IntRange(0, 3).Draw(w.T, "entries") {
			values = append(values, fmt.Sprintf(`"%d": %s`, i, w.value(f.MapValue())))
		}
		return "{" + strings.Join(values, ", ") + "}"
	case f.IsList():
		for range rapid.IntRange(0, 3).Draw(w.T, "elements") {
			values = append(values, w.value(f))
		}
		return "[" + strings.Join(values, ", ") + "]"
	}
	return w.value(f)
}

func (w *writer) value(f protoreflect.FieldDescriptor) string {
	if f.Kind() == protoreflect.MessageKind && !wellKnown(f.Message()) {
		if w.depth > 3 {
			return "{}"
		}
		return w.message(f.Message())
	}
	text := rapid.SampledFrom([]string{
		`{{.CSV "odd"}}`, `{{.CSV "odd"}}`, `{{.CSV "odd"}}`, `{{.Seq}}`, `{{.Random 0 3}}`, `{{.Random -5 300}}`, `{{.RandomFloat -1 1}}`, `{{.Time}}`,
		`{{.Choice "COLOUR_RED" "COLOUR_HOT_CORAL"}}`, `{{.RandomString 200}}`, `{{.UUID}}`, `a\n{{.Seq}}\u00e9{{.CSV "odd"}}`, `1{{.Seq}}`,
		"1", "0", "AAEC", "2017-10-27T14:00:00Z", "COLOUR_RED", "",
	}).Draw(w.T, "value")
	if rapid.Bool().Draw(w.T, "quoted") {
		return `"` + text + `"`
	}
	return text
}

// versus holds plans against protojson, and counts what it held.
type versus struct {
	method                  *Method
	options                 *DataOptions
	planned, compared, left int
}

// newVersus has the oddities as the rows of its table, in the column "odd".
func newVersus(t *testing.T) *versus {
	var rows strings.Builder
	rows.WriteString("odd\n")
	for _, odd := range oddities {
		rows.WriteString(`"` + strings.ReplaceAll(odd, `"`, `""`) + "\"\n")
	}
	return &versus{method: described(t, "Send"), options: &DataOptions{Table: table(t, rows.String())}}
}

// try makes a request of the template with each oddity, both ways.
func (c *versus) try(t rapid.TB, text string) {
	p, err := parseTemplate(text, c.options)
	if err != nil {
		t.Fatal(err)
	}
	d := &dataTemplate{parsed: p, encoder: newEncoder(c.method), options: c.options}
	if d.plan = newPlan(&d.encoder, p); d.plan == nil {
		return
	}
	c.planned++
	if err := p.escapeWithinStrings(); err != nil {
		t.Fatal(err)
	}
	v := &values{options: c.options, at: time.Unix(1e9, 5)}
	for v.seq = range oddities {
		v.begin(forData)
		fast, errFast := d.plan.appendRequest(v, nil, true, 0)
		v.begin(forData)
		slow, errSlow := d.appendSlowly(v, nil, true, 0)
		switch {
		case errors.Is(errFast, errNotPlanned):
			c.left++
		case errFast != nil:
			t.Fatalf("%s with %q: %v", text, oddities[v.seq], errFast)
		case errSlow != nil:
			t.Fatalf("%s with %q is planned, but refused: %v", text, oddities[v.seq], errSlow)
		case !d.encoder.same(fast, slow):
			t.Fatalf("%s with %q is planned as %x, but is %x", text, oddities[v.seq], fast, slow)
		default:
			c.compared++
		}
	}
}

// TestAPlanGivesWhatProtojsonGives or leaves the request to it.
func TestAPlanGivesWhatProtojsonGives(t *testing.T) {
	c := newVersus(t)
	t.Run("of every field", func(t *testing.T) {
		fields := c.method.input.Fields()
		for i := range fields.Len() {
			f := fields.Get(i)
			if f.IsMap() || f.Kind() == protoreflect.MessageKind && !wellKnown(f.Message()) {
				continue
			}
			text := fmt.Sprintf(`{%q: "{{.CSV "odd"}}"}`, f.JSONName())
			if f.IsList() {
				text = fmt.Sprintf(`{%q: ["{{.CSV "odd"}}"]}`, f.JSONName())
			}
			c.try(t, text)
		}
		if c.planned == 0 || c.compared == 0 || c.left == 0 {
			t.Errorf("%d plans, %d requests compared, %d left to protojson: nothing was tried", c.planned, c.compared, c.left)
		}
	})
	t.Run("at random", func(t *testing.T) {
		rapid.Check(t, func(r *rapid.T) {
			w := writer{T: r}
			c.try(r, w.message(c.method.input))
		})
	})
}

// TestLengthsOfEverySize are written before what they are the length of.
func TestLengthsOfEverySize(t *testing.T) {
	m := described(t, "One")
	for _, n := range []int{0, 1, 100, 120, 125, 126, 127, 128, 129, 16_370, 16_380, 16_384, 16_390, 2_097_152} {
		text := fmt.Sprintf(`{"within": {"within": {"maybe": {{.Seq}}, "texts": ["{{.RandomString %d}}", "end"]}}}`, n)
		d, err := ParseData(m, text, DataOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if d.template.plan == nil {
			t.Fatalf("with %d letters the plan is refused", n)
		}
		v := &values{options: d.template.options, seq: 9}
		v.begin(forData)
		slow, err := d.template.appendSlowly(v, nil, true, 0)
		if err != nil {
			t.Fatal(err)
		}
		if !d.template.encoder.same(request(t, d, 0, 9), slow) {
			t.Errorf("with %d letters it is another message", n)
		}
	}
}

func TestAPlanHandsBackWhatItDoesNotKnow(t *testing.T) {
	m := described(t, "One")
	d, err := ParseData(m, `{"small": "{{.CSV "n"}}", "text": "{{.UUID}}"}`, DataOptions{Table: table(t, "n\n1\n1e3\n")})
	if err != nil {
		t.Fatal(err)
	}
	if d.template.plan == nil {
		t.Fatal("there is no plan")
	}
	if got := decoded(t, m, request(t, d, 1, 1))[0]; !strings.Contains(got, `"small":1000`) {
		t.Errorf("it is %s", got)
	}
}

func TestAPlanTakesNoMemory(t *testing.T) {
	m := described(t, "One")
	d, err := ParseData(m, typical, DataOptions{Table: table(t, "card\n4111\n4222\n")})
	if err != nil {
		t.Fatal(err)
	}
	v := &values{options: d.template.options, at: time.Unix(1e9, 0)}
	var buffer []byte
	give := func() {
		v.begin(forData)
		if buffer, err = d.template.appendRequest(v, buffer[:0], false, 0); err != nil {
			t.Fatal(err)
		}
		v.seq++
	}
	give()
	if n := testing.AllocsPerRun(100, give); n > 0 {
		t.Errorf("a request takes %v allocations", n)
	}
}

const typical = `{"text": "pay-{{.Seq}}", "left": "{{.UUID}}", "within": {"text": "{{.CSV "card"}}", "colour": "COLOUR_RED"}, "large": {{.Random 100 5000}}, "at": "{{.Time}}"}`

func BenchmarkTemplates(b *testing.B) {
	m := described(b, "One")
	d, err := ParseData(m, typical, DataOptions{Table: table(b, "card\n4111\n4222\n")})
	if err != nil {
		b.Fatal(err)
	}
	for _, way := range []struct {
		name string
		give func(v *values, dst []byte) ([]byte, error)
	}{
		{"plan", func(v *values, dst []byte) ([]byte, error) { return d.template.appendRequest(v, dst, false, 0) }},
		{"protojson", func(v *values, dst []byte) ([]byte, error) { return d.template.appendSlowly(v, dst, false, 0) }},
	} {
		b.Run(way.name, func(b *testing.B) {
			b.ReportAllocs()
			v := &values{options: d.template.options, at: time.Unix(1e9, 0)}
			var buffer []byte
			for b.Loop() {
				v.begin(forData)
				v.seq++
				if buffer, err = way.give(v, buffer[:0]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
