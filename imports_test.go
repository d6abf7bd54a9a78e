// Package breakbank_test holds the one rule that spans all packages: imports
// point down only.
package breakbank_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "breakbank/"

// mayImport says, for each layer, which layers of this module it may import.
// A layer is the longest prefix here that contains the package. See
// docs/architecture.md for why each arrow points as it does.
var mayImport = map[string][]string{
	"cmd":      {"cmd", "bench", "loadgen", "services", "platform", "proto"},
	"bench":    {"bench", "loadgen", "services/bank", "platform", "proto"},
	"loadgen":  {"loadgen", "platform/wire", "proto"},
	"services": {"services/bank", "platform", "proto"},
	"platform": {"platform", "proto"},
	"proto":    {"proto"},
}

// neverImport lists arrows that the layers alone would allow.
var neverImport = []struct{ from, to, why string }{
	{"platform/apiserver", "platform/fault", "darkness is a relay on the wire, not a branch in the server"},
	{"platform/router", "platform/fault", "a router must not know that it is being broken"},
	{"bench", "loadgen/nap", "requests are paced by loadgen, and by nothing else"},
	{"cmd", "loadgen/nap", "requests are paced by loadgen, and by nothing else"},
	{"platform/router", "platform/deploy", "a router learns of a deploy through discovery only"},
	{"platform/router/balance", "platform/router/discovery", "strategy and policy are independent choices"},
	{"platform/router/discovery", "platform/router/balance", "strategy and policy are independent choices"},
}

func TestImportsPointDown(t *testing.T) {
	checked := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "tools" || d.Name() == "out" || strings.HasPrefix(d.Name(), ".") && path != ".") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || !strings.Contains(path, "/") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		from := filepath.ToSlash(filepath.Dir(path))
		for _, spec := range f.Imports {
			to, _ := strconv.Unquote(spec.Path.Value)
			if to, ok := strings.CutPrefix(to, module); ok {
				checked++
				if why := refused(from, to, strings.HasSuffix(path, "_test.go")); why != "" {
					t.Errorf("%s imports %s: %s", path, to, why)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if checked == 0 {
		t.Fatal("no import of this module was found: the check looked at nothing")
	}
}

// waitsInLoops are those outside loadgen who wait for one time after another, and
// what for. Requests are not among it: whoever offers load draws a schedule and has
// it performed by loadgen.Runner.
var waitsInLoops = map[string]string{
	"bench/replay/live.go": "the next second of the live view",
}

// TestNothingElsePacesRequests: in what offers load, a loop around time.Until is
// how a pace is kept; only those above have one. (A sleep of the same length each
// time would go unseen here; it is no way to keep a rate.)
func TestNothingElsePacesRequests(t *testing.T) {
	seen := map[string]bool{}
	for _, root := range []string{"bench", "cmd"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			path = filepath.ToSlash(path)
			if !pacesIn(f) {
				return nil
			}
			seen[path] = true
			if waitsInLoops[path] == "" {
				t.Errorf("%s waits for one time after another: if that is for requests, leave it to loadgen.Runner", path)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for path := range waitsInLoops {
		if !seen[path] {
			t.Errorf("%s does not wait in a loop any more: the check looks at less than it says", path)
		}
	}
}

// pacesIn says whether a file calls time.Until in a loop.
func pacesIn(f *ast.File) (found bool) {
	ast.Inspect(f, func(n ast.Node) bool {
		switch n.(type) {
		case *ast.ForStmt, *ast.RangeStmt:
			ast.Inspect(n, func(n ast.Node) bool {
				if s, ok := n.(*ast.SelectorExpr); ok && s.Sel.Name == "Until" {
					if x, ok := s.X.(*ast.Ident); ok && x.Name == "time" {
						found = true
					}
				}
				return true
			})
		}
		return true
	})
	return found
}

func TestTheRuleCanFail(t *testing.T) {
	for _, arrow := range [][2]string{
		{"platform/node", "services/ledger"},
		{"services/cardnet", "services/cardauth"},
		{"loadgen", "services/bank"},
		{"loadgen", "platform/rpc"},
		{"proto/bank/v1", "platform/rpc"},
		{"platform/apiserver", "platform/fault"},
		{"bench/replay", "services/ledger"},
		{"bench/peers/router", "loadgen/nap"},
	} {
		if refused(arrow[0], arrow[1], false) == "" {
			t.Errorf("%s -> %s was let through", arrow[0], arrow[1])
		}
	}
}

func TestAPaceIsSeen(t *testing.T) {
	for body, want := range map[string]bool{
		"for range 3 { timer.Reset(time.Until(due)); <-timer.C }": true,
		"for { go func() { pause(time.Until(due)) }() }":          true,
		"pause(time.Until(due))":                                  false,
		"for range 3 { time.Now() }":                              false,
	} {
		f, err := parser.ParseFile(token.NewFileSet(), "", "package p; func f() { "+body+" }", parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		if got := pacesIn(f); got != want {
			t.Errorf("%s: %v", body, got)
		}
	}
}

// refused says why a package must not import another, or nothing if it may. A
// test may break what its package must not know how to break.
func refused(from, to string, test bool) string {
	for _, n := range neverImport {
		if !test && within(from, n.from) && within(to, n.to) {
			return n.why
		}
	}
	layer, _, _ := strings.Cut(from, "/")
	allowed, known := mayImport[layer]
	if !known {
		return "the package is in no layer; the layers are cmd, bench, loadgen, services, platform and proto"
	}
	if service(from) != "" && service(from) == service(to) {
		return "" // A service and its own sub-packages.
	}
	for _, a := range allowed {
		if within(to, a) {
			return ""
		}
	}
	return layer + " may import only " + strings.Join(allowed, ", ")
}

// service is the name of the service that a package belongs to, if any.
func service(path string) string {
	rest, ok := strings.CutPrefix(path, "services/")
	if !ok {
		return ""
	}
	name, _, _ := strings.Cut(rest, "/")
	return name
}

func within(path, prefix string) bool {
	return path == prefix || strings.HasPrefix(path, prefix+"/")
}
