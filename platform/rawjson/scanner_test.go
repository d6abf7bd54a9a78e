package rawjson_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"breakbank/platform/rawjson"
)

// FuzzSkip holds the scanner to encoding/json: the same texts are JSON.
func FuzzSkip(f *testing.F) {
	for _, text := range []string{
		``, ` `, `null`, `nul`, `true`, `falsey`, `0`, `-0`, `01`, `-`, `1.`, `1.5e+9`, `1e`, `.5`, `"a"`, `"a`, `"\"`, `"\u00zz"`, `"\u00e4"`,
		"\"\x01\"", "\"\xff\"", `"\x"`, `[]`, `[`, `[1,]`, `[1,2]`, `[1 2]`, `{}`, `{`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{"a":[{"b":null}], "c":"d"}`, `{} {}`,
		`{"type":"ADDED","object":{"metadata":{"name":"ledger"}}}`, strings.Repeat(`[`, 10_001), strings.Repeat(`[`, 9_999) + strings.Repeat(`]`, 9_999),
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s := rawjson.Scan(text)
		err := s.Skip()
		if err == nil {
			err = s.End()
		}
		if valid := json.Valid(text); valid != (err == nil) {
			t.Errorf("%q: %v, encoding/json says %v", text, err, valid)
		}
	})
}

// FuzzText holds strings to encoding/json: the same texts, the same content.
func FuzzText(f *testing.F) {
	for _, text := range []string{`"a"`, `"\n"`, `"\ud83d\ude00"`, `"\ud83d"`, "\"\xff\"", `"ä"`, `null`, `1`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s := rawjson.Scan(text)
		got, err := s.Text()
		if err == nil {
			err = s.End()
		}
		var want string
		wantErr := json.Unmarshal(text, &want)
		if (wantErr == nil) != (err == nil) || err == nil && string(got) != want {
			t.Errorf("%q: %q, %v; encoding/json says %q, %v", text, got, err, want, wantErr)
		}
	})
}

func TestReadsWhatIsAskedFor(t *testing.T) {
	text := []byte(` {"a": {"name":"led\u0067er","n":null}, "ports":[1, 22,333 ], "rest":[{"x":[true]}], "no":null} `)
	s := rawjson.Scan(text)
	var name, rest []byte
	var ports []int
	absent := 0
	err := s.Members(func(key []byte) (err error) {
		switch string(key) {
		case "a":
			return s.Members(func(key []byte) (err error) {
				if string(key) != "name" {
					return s.Skip()
				}
				name, err = s.Text()
				return err
			})
		case "ports":
			return s.Elements(func() error {
				n, err := s.Int()
				ports = append(ports, n)
				return err
			})
		case "rest":
			rest, err = s.Raw()
			return err
		case "no":
			return s.Elements(func() error { absent++; return s.Skip() })
		}
		return s.Skip()
	})
	if err != nil || s.End() != nil {
		t.Fatal(err)
	}
	if string(name) != "ledger" || len(ports) != 3 || ports[2] != 333 || !bytes.Equal(rest, []byte(`[{"x":[true]}]`)) || absent != 0 {
		t.Errorf("name %q ports %v rest %s, %d elements of null", name, ports, rest, absent)
	}
}

// What is there and is something else is an error, not nothing.
func TestRefusesAnotherKind(t *testing.T) {
	for what, read := range map[string]func(*rawjson.Scanner) error{
		"object": func(s *rawjson.Scanner) error { return s.Members(func([]byte) error { return s.Skip() }) },
		"array":  func(s *rawjson.Scanner) error { return s.Elements(s.Skip) },
		"text":   func(s *rawjson.Scanner) error { _, err := s.Text(); return err },
		"number": func(s *rawjson.Scanner) error { _, err := s.Int(); return err },
	} {
		for kind, text := range map[string]string{"object": `{}`, "array": `[]`, "text": `"1"`, "number": `1`, "flag": `true`, "fraction": `1.5`} {
			s := rawjson.Scan([]byte(text))
			if err := read(&s); (err == nil) != (what == kind) {
				t.Errorf("%s read as %s: %v", kind, what, err)
			}
		}
		s := rawjson.Scan([]byte(` null`))
		if err := read(&s); err != nil || s.End() != nil {
			t.Errorf("null read as %s: %v", what, err)
		}
	}
}

func TestDoesNotAllocate(t *testing.T) {
	text := []byte(`{"type":"ADDED","object":{"metadata":{"name":"ledger"},"subsets":[{"addresses":[{"ip":"10.0.0.1"}],"ports":[{"port":80}]}]}}`)
	if n := testing.AllocsPerRun(100, func() {
		s := rawjson.Scan(text)
		if s.Skip() != nil {
			t.Error("not JSON")
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
