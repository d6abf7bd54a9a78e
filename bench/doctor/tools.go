package doctor

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
)

// tools are the programs of others that commands use, and how each is asked for
// its version. The first name that is installed counts.
var tools = []struct {
	names []string
	ask   []string
	what  string
}{
	{[]string{"haproxy"}, []string{"-v"}, "'breakbank peers router'"},
	{[]string{"nginx"}, []string{"-v"}, "'breakbank peers router'"},
	{[]string{"caddy"}, []string{"version"}, "'breakbank peers router'"},
	{[]string{"h2load"}, []string{"--version"}, "'breakbank peers loadgen'"},
	{[]string{"ghz"}, []string{"--version"}, "'breakbank peers loadgen'"},
	{[]string{"chromium", "chromium-browser", "google-chrome"}, []string{"--version"}, "tests of pages"},
	{[]string{"kubectl"}, []string{"version", "--client"}, "breaking it by kubectl"},
}

// probeTools asks all of them at once: each does next to nothing.
func probeTools(ctx context.Context) (all []Tool, goTool string) {
	all = make([]Tool, len(tools))
	var asked sync.WaitGroup
	for i, tool := range tools {
		asked.Go(func() {
			t := Tool{Name: tool.names[0], For: tool.what}
			for _, name := range tool.names {
				if t.Path = find(name); t.Path != "" {
					t.Version = versionIn(ask(ctx, t.Path, tool.ask...))
					break
				}
			}
			all[i] = t
		})
	}
	asked.Go(func() {
		if path := find("go"); path != "" {
			goTool = versionIn(ask(ctx, path, "env", "GOVERSION"))
		}
	})
	asked.Wait()
	return all, goTool
}

func probeDocker(ctx context.Context) Docker {
	var d Docker
	path := find("docker")
	if path == "" {
		return d
	}
	d.Client = versionIn(ask(ctx, path, "version", "--format", "{{.Client.Version}}"))
	if d.Client == "" {
		d.Client = versionIn(ask(ctx, path, "--version"))
	}
	said := ask(ctx, path, "version", "--format", "{{.Server.Version}}")
	// Without a daemon it says why, with versions or addresses in it.
	if d.Server = versionIn(said); strings.ContainsAny(strings.TrimSpace(said), " \t\n") || d.Server == "" {
		d.Server, d.Error = "", firstLine(said)
	}
	d.ComposeCommand, d.Compose = "docker compose", versionIn(ask(ctx, path, "compose", "version", "--short"))
	if other := find("docker-compose"); d.Compose == "" && other != "" {
		d.ComposeCommand, d.Compose = "docker-compose", versionIn(ask(ctx, other, "version", "--short"))
	}
	return d
}

// find is the path of a program: in PATH, where servers are, or where Go
// installs.
func find(name string) string {
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	dirs := []string{"/usr/sbin", "/usr/local/sbin", os.Getenv("GOBIN")}
	if home, err := os.UserHomeDir(); err == nil {
		dirs = append(dirs, filepath.Join(home, "go", "bin"))
	}
	for _, dir := range dirs {
		if dir == "" {
			continue
		}
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path
		}
	}
	return ""
}

// ask runs a program within the patience of a probe and returns what it says,
// on either output.
func ask(ctx context.Context, path string, args ...string) string {
	ctx, cancel := context.WithTimeout(ctx, probePatience)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.WaitDelay = probePatience / 4
	said, _ := cmd.CombinedOutput() // What it says counts, not how it ends.
	return string(said)
}

// version is digits with points between, and what may hang on them.
var version = regexp.MustCompile(`\d+(\.\d+)+([-+~.][0-9A-Za-z.~+-]*)?`)

// versionIn is the first version in a text.
func versionIn(text string) string { return strings.TrimRight(version.FindString(text), ".") }

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line
}
