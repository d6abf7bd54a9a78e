package discovery

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestParseSeed(t *testing.T) {
	table, err := ParseSeed("table.yaml", []byte(`
# who is where
services:
  ledger: [10.0.0.1:8080, "[::1]:8080"]
  pots: []
  api.example.com:
    - web-1.example.com:443
`))
	if err != nil {
		t.Fatal(err)
	}
	want := Addresses{
		"ledger":          {"10.0.0.1:8080", "[::1]:8080"},
		"pots":            {},
		"api.example.com": {"web-1.example.com:443"},
	}
	if !maps.EqualFunc(table, want, slices.Equal) {
		t.Errorf("got %v, want %v", table, want)
	}
}

// TestParseSeedSaysWhatIsWrongAndWhere: everything at once, a line each.
func TestParseSeedSaysWhatIsWrongAndWhere(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"nothing":           {"", []string{"t.yaml: want one document with the key services"}},
		"a word":            {"ledger", []string{"t.yaml:1: want services"}},
		"another key":       {"service: {a: [b:1]}", []string{`t.yaml:1: unknown key "service"; valid: services`}},
		"one key too many":  {"services: {a: [b:1]}\nextra: 1", []string{`t.yaml:2: unknown key "extra"`}},
		"services is null":  {"services:", []string{"t.yaml:1: services: want name"}},
		"services is list":  {"services: [a]", []string{"t.yaml:1: services: want name"}},
		"no list":           {"services:\n  ledger: 10.0.0.1:80", []string{`t.yaml:2: service "ledger": want a list`}},
		"no name":           {"services:\n  \"\": [a:1]", []string{`t.yaml:2: service "": no :authority`}},
		"a name no one has": {"services:\n  a/b: [a:1]", []string{`t.yaml:2: service "a/b": no :authority`}},
		"twice":             {"services:\n  a: [h:1]\n  a: [h:2]", []string{`t.yaml:3: mapping key "a" already defined`}},
		"broken":            {"services:\n  a: [h:1\n", []string{"t.yaml:2"}},
		"in braces":         {"services: {a: [h:1, {}, h:x]}", []string{`t.yaml:1: service "a": "" is not`, `t.yaml:1: service "a": "h:x" is not`}},
		"several things": {"services:\n  a:\n  - here\n  - h:1\n  - h:1\n  b: [h:0, h:65536, {}, null]\n", []string{
			`t.yaml:3: service "a": "here" is not host:port`,
			`t.yaml:5: service "a": h:1 is there twice`,
			`t.yaml:6: service "b": "h:0" is not host:port`,
			`t.yaml:6: service "b": "h:65536" is not host:port`,
			`t.yaml:6: service "b": "" is not host:port`,
			`t.yaml:6: service "b": "" is not host:port`,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			table, err := ParseSeed("t.yaml", []byte(c.text))
			if err == nil {
				t.Fatalf("accepted: %v", table)
			}
			lines := strings.Split(err.Error(), "\n")
			if len(lines) != len(c.want) {
				t.Fatalf("said\n%v\nwant %d lines", err, len(c.want))
			}
			for i, want := range c.want {
				if !strings.HasPrefix(lines[i], want) {
					t.Errorf("said %q, want %q", lines[i], want)
				}
			}
		})
	}
}
