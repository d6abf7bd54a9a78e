package main

import (
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestAPersonCanDoTheIncidentByHand: "up" in one terminal, "ctl" in another.
func TestAPersonCanDoTheIncidentByHand(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: under the race detector it takes two minutes; run without -short")
	}
	t.Parallel()
	admin := freeAddress(t)
	up, tmp, _, _ := start(t, "up", "--admin", admin, "--out", t.TempDir())
	screen := watch("Ctrl-C ends it")
	up.Stdout = screen
	if err := up.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- up.Wait() }()
	select {
	case <-screen.seen:
	case err := <-ended:
		t.Fatalf("up ended: %v", err)
	case <-time.After(comeUpLimit):
		t.Fatal("the platform did not come up")
	}

	ctl := func(args ...string) string {
		t.Helper()
		cmd := exec.Command(os.Args[0], append([]string{"ctl", "--control", admin}, args...)...)
		cmd.Env = append(os.Environ(), asCommand+"="+t.Name())
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("ctl %v: %v: %s", args, err, out)
		}
		return string(out)
	}
	routers := func(state string) int { return strings.Count(ctl("get"), "  "+state+" ") }

	if n := routers("live"); n != 6 {
		t.Errorf("%d routers are live, want 6:\n%s", n, ctl("get"))
	}
	if got := ctl("tap", "--zone", "b"); !strings.Contains(got, "00 approved") || !strings.Contains(got, "zone b") {
		t.Errorf("tap said %q", got)
	}
	if got := ctl("books"); strings.Count(got, "  balances\n") != 3 {
		t.Errorf("books said %q", got)
	}
	for want, args := range map[string][]string{
		`version "../x" must be`: {"deploy", "ledger", "../x"},
		`version "" must be`:     {"deploy", "ledger", ""},
		"9999 replicas":          {"scale", "ledger", "9999"},
	} {
		cmd := exec.Command(os.Args[0], append([]string{"ctl", "--control", admin}, args...)...)
		cmd.Env = append(os.Environ(), asCommand+"="+t.Name())
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), want) || strings.Count(string(out), "\n") != 1 {
			t.Errorf("ctl %v: %v: %s", args, err, out)
		}
	}
	ctl("scale", "feed", "2")
	eventually(t, 10*time.Second, "it is ready with fewer of a service", func() bool { return answers("http://" + admin + "/readyz") })
	if got := ctl("grow", "4"); !strings.Contains(got, "4 members") {
		t.Errorf("grow said %q", got)
	}
	ctl("deploy", "pots", "v1")
	ctl("scale", "pots", "0")
	for _, kind := range []string{"services", "endpoints", "endpointslices", "configmaps"} {
		ctl("fault", "inject", "link-blackhole", "apiserver-*/etcd/"+kind)
	}
	if got := ctl("deploy", "ledger", "v2"); !strings.Contains(got, "ledger is at v2") {
		t.Errorf("deploy said %q", got)
	}
	eventually(t, 10*time.Second, "every router is stale", func() bool { return routers("stale") == 6 })
	if got := ctl("rollback", "ledger"); !strings.Contains(got, "back at v1") {
		t.Errorf("rollback said %q", got)
	}
	ctl("fallback", "independent")
	ctl("restart", "router", "c1")
	eventually(t, 10*time.Second, "the router of c1 waits for its configuration", func() bool { return routers("down") == 1 })
	for _, server := range []string{"apiserver-a", "apiserver-b", "apiserver-c"} {
		ctl("restart", "apiserver", server)
	}
	eventually(t, 20*time.Second, "the router of c1 is poisoned", func() bool { return routers("poisoned") == 1 })
	ctl("delete", "pots")
	eventually(t, 30*time.Second, "every router is live", func() bool { return routers("live") == 6 })

	if err := up.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("up ended with %v", err)
		}
	case <-time.After(endLimit):
		t.Fatal("up did not end")
	}
	nothingLeft(t, tmp)
}

// answers says whether a page is there, and well.
func answers(url string) bool {
	resp, err := http.Get(url)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

func TestCtlSaysWhatIsWrong(t *testing.T) {
	code, _, stderr := command(t, "ctl", "--control", "127.0.0.1:1", "get")
	if code != exitFailed || !strings.Contains(stderr, "127.0.0.1:1") || strings.Count(strings.TrimSpace(stderr), "\n") != 0 {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}
