package method

import (
	"strings"
	"testing"
	"time"
)

// oneLineOnly checks that whatever is wrong is said in one line.
func oneLineOnly(t *testing.T, err error) {
	if err != nil && (strings.ContainsAny(err.Error(), "\n\r\u00a0") || len(err.Error()) > 4096) {
		t.Fatalf("the error is %q", err)
	}
}

func FuzzData(f *testing.F) {
	m := described(f, "Send")
	for _, seed := range []string{
		typical, `[{"text": "{{.Seq}}"}, {}]`, `{"small": {{.Random 1 2}}, "free": {"a": [1, null, {{.Seq}}]}}`, `{{range 3}}{"text": "{{.}}"}{{end}}`,
		`{"any": {"@type": "a/test.v1.Message", "text": "{{.UUID}}"}}`, `{"counts": {"a{{.Seq}}": 1}, "by_number": {"1": "{{.CSV "card"}}"}}`,
		`{"text": "\ue000{{.Seq}}\ue001"}`, `{"within": {"within": {"texts": ["{{.Seq}}", null]}}}`, `{"text": "{{.CSV \"card\"}}"}`, `null`, `{{`, `"`,
	} {
		f.Add(seed)
	}
	rows := table(f, "card\n4111\n\"x\"\"y\"\n")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "range") && len(text) > 200 {
			return // It may go on for long, which is its author's wish.
		}
		d, err := ParseData(m, text, DataOptions{Table: rows})
		oneLineOnly(t, err)
		if err != nil || d.Static() {
			return
		}
		v := &values{options: d.template.options, seq: 3, at: time.Unix(1e9, 0)}
		v.begin(forData)
		if _, err := d.template.appendRequest(v, nil, true, 3); err != nil {
			oneLineOnly(t, err)
		}
	})
}

func FuzzScript(f *testing.F) {
	f.Add(shop)
	f.Add(`{"journeys": [{"steps": [{"method": "p.S/M"}]}]}`)
	f.Add("journeys: *x\n")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "@") || strings.Contains(text, "csv") {
			return // It may name any file.
		}
		s, err := ParseScript("fuzz.yaml", []byte(text))
		oneLineOnly(t, err)
		if err != nil {
			return
		}
		again, err := ParseScript("fuzz.yaml", s.Text())
		if err != nil {
			t.Fatalf("%q is read, but not %q: %v", text, s.Text(), err)
		}
		if strings.Join(again.Methods(), " ") != strings.Join(s.Methods(), " ") {
			t.Fatal("its text calls other methods")
		}
	})
}

func FuzzMetadata(f *testing.F) {
	for _, line := range []string{"a: b", "a-bin: AA==", "A: {{.Seq}}", "a: {{.CSV \"x\"}}"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if strings.Contains(line, "range") {
			return
		}
		m, err := ParseMetadata([]string{line}, DataOptions{})
		if err == nil {
			m.outgoing()
		}
	})
}
