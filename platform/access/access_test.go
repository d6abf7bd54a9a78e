package access

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const usual = "127.0.0.1:7017"

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const two = `current: compose
contexts:
  - name: compose
    control: 127.0.0.1:7017
    token: secret-of-compose
    edges:
      a1: {cardnet: 127.0.0.1:7101}
  - name: far
    control: bank.example:7017
`

func TestWhereTheFileIsFound(t *testing.T) {
	dir := t.TempDir()
	project := filepath.Join(dir, "project")
	deep := filepath.Join(project, "docs", "images")
	config := filepath.Join(dir, "config")
	if err := os.MkdirAll(deep, 0o755); err != nil {
		t.Fatal(err)
	}
	flag := write(t, filepath.Join(dir, "flag.yaml"), two)
	variable := write(t, filepath.Join(dir, "variable.yaml"), two)
	nearest := write(t, filepath.Join(project, DirName, FileName), two)
	own := write(t, filepath.Join(config, "breakbank", FileName), two)
	// A directory of that name is no file.
	if err := os.MkdirAll(filepath.Join(deep, DirName, FileName), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		places Places
		want   string
		says   string
	}{
		"the flag goes first":             {Places{flag, variable, deep, config}, flag, ""},
		"then the variable":               {Places{"", variable, deep, config}, variable, ""},
		"then the nearest above":          {Places{"", "", deep, config}, nearest, ""},
		"then the user's own":             {Places{"", "", dir, config}, own, ""},
		"nothing is no error":             {Places{"", "", dir, dir}, "", ""},
		"nowhere to look is no error":     {Places{}, "", ""},
		"a flag's file must be there":     {Places{Flag: dir + "/no.yaml", Dir: deep}, "", "--context-file: there is no context file"},
		"a variable's file must be there": {Places{Variable: dir + "/no.yaml", Dir: deep}, "", "$" + Variable},
	} {
		got, err := c.places.Find()
		if c.says != "" {
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: %v, want %q", name, err, c.says)
			}
			continue
		}
		if err != nil || got != c.want {
			t.Errorf("%s: %q, %v; want %q", name, got, err, c.want)
		}
	}
}

func TestWhoIsTalkedTo(t *testing.T) {
	dir := t.TempDir()
	places := Places{Flag: write(t, filepath.Join(dir, "context.yaml"), two)}
	token := write(t, filepath.Join(dir, "token"), "of-the-file\n")
	for name, c := range map[string]struct {
		choice         Choice
		places         Places
		control, token string
		context        string
	}{
		"nothing at all":                           {Choice{}, Places{}, usual, "", ""},
		"the current context":                      {Choice{}, places, usual, "secret-of-compose", "compose"},
		"another context":                          {Choice{Context: "far"}, places, "bank.example:7017", "", "far"},
		"an address alone":                         {Choice{Control: "10.0.0.1:7017"}, Places{}, "10.0.0.1:7017", "", ""},
		"another address is not told the token":    {Choice{Control: "10.0.0.1:7017"}, places, "10.0.0.1:7017", "", ""},
		"the address of a context has its token":   {Choice{Control: usual}, places, usual, "secret-of-compose", "compose"},
		"both named":                               {Choice{Context: "compose", Control: "localhost:1"}, places, "localhost:1", "secret-of-compose", "compose"},
		"a token file goes before the context's":   {Choice{TokenFile: token}, places, usual, "of-the-file", "compose"},
		"a token file for an address":              {Choice{Control: "10.0.0.1:1", TokenFile: token}, places, "10.0.0.1:1", "of-the-file", ""},
		"a token file without a context is enough": {Choice{TokenFile: token}, Places{}, usual, "of-the-file", ""},
	} {
		got, err := Resolve(c.choice, c.places, usual)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got.Control != c.control || got.Token != c.token || got.Context != c.context {
			t.Errorf("%s: %+v", name, got)
		}
		if got.TokenFrom == "" {
			t.Errorf("%s: it does not say where the token is from", name)
		}
	}
	got, err := Resolve(Choice{}, places, usual)
	if err != nil {
		t.Fatal(err)
	}
	if at := got.Edges.Address("a1", "cardnet", "a1.bank:7101"); at != "127.0.0.1:7101" {
		t.Errorf("the edge is at %s", at)
	}
	if at := got.Edges.Address("b1", "cardnet", "b1.bank:7101"); at != "b1.bank:7101" {
		t.Errorf("an edge that the context does not name is at %s", at)
	}
}

// TestWhatIsWrongIsSaidInOneLine, and never with a secret in it.
func TestWhatIsWrongIsSaidInOneLine(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct{ text, says string }{
		"nothing":            {"", "no contexts"},
		"no YAML":            {"contexts: [", ":1"},
		"an unknown key":     {"contexts:\n  - name: a\n    control: h:1\n    tokn: hush-hush\n", ":4"},
		"a wrong shape":      {"contexts:\n  - name: [a]\n    control: h:1\n    token: hush-hush\n", ":2"},
		"no name":            {"contexts:\n  - control: h:1\n", "context 1 has no name"},
		"a name twice":       {"contexts:\n  - {name: a, control: 'h:1'}\n  - {name: a, control: 'h:1'}\n", "twice"},
		"no port":            {"contexts:\n  - {name: a, control: host}\n", "host:port"},
		"a port too large":   {"contexts:\n  - {name: a, control: 'h:70000'}\n", "65535"},
		"a URL":              {"contexts:\n  - {name: a, control: 'http://h:1'}\n", "host:port"},
		"an unknown current": {"current: b\ncontexts:\n  - {name: a, control: 'h:1'}\n", `"b"`},
		"a token in lines":   {"contexts:\n  - {name: a, control: 'h:1', token: \"hush\\nhush-hush\"}\n", "printable"},
		"an edge no address": {"contexts:\n  - {name: a, control: 'h:1', edges: {a1: {cardnet: here}}}\n", "edges.a1.cardnet"},
	} {
		_, err := Read(write(t, filepath.Join(dir, "context.yaml"), c.text))
		if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "context.yaml") {
			t.Errorf("%s: %v, want %q", name, err, c.says)
			continue
		}
		if strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: it is several lines, or tells a secret: %v", name, err)
		}
	}
	places := Places{Flag: write(t, filepath.Join(dir, "context.yaml"), two)}
	several := Places{Flag: write(t, filepath.Join(dir, "several.yaml"), strings.TrimPrefix(two, "current: compose\n"))}
	for name, c := range map[string]struct {
		choice Choice
		places Places
		says   string
	}{
		"an unknown context":    {Choice{Context: "near"}, places, "compose, far"},
		"none is the current":   {Choice{}, several, "compose, far"},
		"a context, no file":    {Choice{Context: "far"}, Places{}, "--context-file"},
		"an address of nothing": {Choice{Control: "nowhere"}, places, "--control"},
		"no token file":         {Choice{TokenFile: filepath.Join(dir, "none")}, places, "--token-file"},
		"an empty token file":   {Choice{TokenFile: write(t, filepath.Join(dir, "empty"), " \n")}, places, "is empty"},
		"a directory for token": {Choice{TokenFile: dir}, places, "is no file"},
		"far too long a token":  {Choice{TokenFile: write(t, filepath.Join(dir, "long"), strings.Repeat("x", 5000))}, places, "larger than"},
	} {
		_, err := Resolve(c.choice, c.places, usual)
		if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
	}
}

func TestEdgesAsFlag(t *testing.T) {
	file := write(t, filepath.Join(t.TempDir(), "edges.yaml"), "a1: {cardnet: 127.0.0.1:7101, gateway: 127.0.0.1:7103}\nb1: {cardnet: 127.0.0.1:7201}\n")
	for _, text := range []string{file, "a1/cardnet=127.0.0.1:7101, a1/gateway=127.0.0.1:7103,b1/cardnet=127.0.0.1:7201"} {
		edges, err := ReadEdges(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(edges.All(), " "); got != "a1/cardnet=127.0.0.1:7101 a1/gateway=127.0.0.1:7103 b1/cardnet=127.0.0.1:7201" {
			t.Errorf("%s: %s", text, got)
		}
	}
	for _, text := range []string{"cardnet=127.0.0.1:1", "a1/=127.0.0.1:1", "a1/cardnet=here", "a1/cardnet=127.0.0.1:1,", "/no/such/file"} {
		if edges, err := ReadEdges(text); err == nil {
			t.Errorf("%q is taken for %v", text, edges)
		}
	}
}
