package telemetry_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"breakbank/platform/apiserver"
	"breakbank/platform/book"
	"breakbank/platform/deploy"
	"breakbank/platform/events"
	"breakbank/platform/router/admin"
	"breakbank/platform/rpc"
)

// collectors are those whose names are made of parts, so that the source does
// not have them whole.
var collectors = []prometheus.Collector{
	rpc.NewCollector(),
	admin.NewCollector(func() admin.Router { return nil }),
	apiserver.NewCollector(func() []*apiserver.Server { return nil }),
	book.NewCollector(func() map[string]*book.Pebble { return nil }),
	deploy.NewCollector(func() *deploy.Controllers { return nil }),
	events.NewCollector(func() *events.Server { return nil }),
}

var described = regexp.MustCompile(`fqName: "([^"]+)", help: "([^"]*)"`)

// names of the metrics that the collectors describe.
func describedNames(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for _, c := range collectors {
		descs := make(chan *prometheus.Desc)
		go func() {
			defer close(descs)
			c.Describe(descs)
		}()
		for d := range descs {
			found := described.FindStringSubmatch(d.String())
			if found == nil || found[2] == "" {
				t.Errorf("no name or no help in %v", d)
				continue
			}
			names[found[1]] = true
		}
	}
	return names
}

// literalNames are the metrics' names, and the beginnings of names, that stand
// in the source of this module.
func literalNames(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	root := filepath.Join("..", "..")
	for _, layer := range []string{"cmd", "bench", "loadgen", "services", "platform"} {
		err := filepath.WalkDir(filepath.Join(root, layer), func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
					if text, err := strconv.Unquote(literal.Value); err == nil && strings.HasPrefix(text, "bb_") {
						names[text] = true
					}
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return names
}

// docs/metrics.md has every metric that there is, and no other.
func TestMetricsAreDocumented(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "metrics.md"))
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(bb_[a-z_]+)` \\|").FindAllStringSubmatch(string(text), -1) {
		if documented[row[1]] {
			t.Errorf("%s has two rows", row[1])
		}
		documented[row[1]] = true
	}
	real := describedNames(t)
	for name := range literalNames(t) {
		if !strings.HasSuffix(name, "_") {
			real[name] = true
			continue
		}
		if !slices.ContainsFunc(slices.Collect(maps.Keys(real)), func(n string) bool { return strings.HasPrefix(n, name) }) {
			t.Errorf("metrics that begin with %s are of no collector that this test knows", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(real)) {
		if !documented[name] {
			t.Errorf("docs/metrics.md lacks %s", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(documented)) {
		if !real[name] {
			t.Errorf("docs/metrics.md has %s, which is no metric", name)
		}
	}
	if len(real) < 40 {
		t.Errorf("only %d metrics were found: the test looked at too little", len(real))
	}
	// Names in the text are in the tables too.
	for _, name := range regexp.MustCompile(`\bbb_[a-z_]+`).FindAllString(string(text), -1) {
		if !documented[name] && !documented[strings.TrimSuffix(name, "_bucket")] {
			t.Errorf("docs/metrics.md speaks of %s, which has no row", name)
		}
	}
}
