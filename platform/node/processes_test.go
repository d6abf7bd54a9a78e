package node

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"breakbank/platform/deploy"
	"breakbank/platform/process"
	"breakbank/platform/registry"
)

// withProcesses makes agents run instances as processes of their own.
func withProcesses(t *testing.T) func(*AgentConfig) {
	return func(cfg *AgentConfig) {
		cfg.Processes, cfg.NewCaller = testSpawner(t), nil
	}
}

// instanceOf waits for the one ready instance on a node, but for one that was
// there before.
func (m *machineRoom) instanceOf(node, before string) InstanceStatus {
	m.t.Helper()
	var found InstanceStatus
	await(m.t, "a ready instance on "+node, func() bool {
		all := m.agents[node].Instances()
		if len(all) != 1 || !all[0].Ready || all[0].Name == before {
			return false
		}
		found = all[0]
		return true
	})
	return found
}

func TestKilledProcessIsReplaced(t *testing.T) {
	t.Parallel()
	m := newMachineRoomWith(t, 1, withProcesses(t), "a2")
	m.deploy("ledger", "v1", "a2")
	before := m.instanceOf("a2", "")
	if before.PID == os.Getpid() || before.PID == 0 || before.State != process.Running || before.StartedAt.IsZero() {
		t.Fatalf("%+v has no process of its own", before)
	}
	name, conn := m.ask(before.Address)
	if name != before.Name {
		t.Errorf("%s serves at the address of %s", name, before.Name)
	}
	// Killed by somebody else.
	if err := syscall.Kill(before.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if !ended(conn) {
		t.Error("the connection lives")
	}
	after := m.instanceOf("a2", before.Name)
	if after.PID == before.PID || after.Address == before.Address {
		t.Errorf("%+v took the place of %+v", after, before)
	}
	// A process that a test beside this one is just starting may have a copy of
	// the socket for a moment.
	await(t, "nobody serves at the old address", func() bool { return refused(before.Address) })
	// And by an operator.
	if err := m.agents["a2"].SignalInstance(after.Name, SignalKill); err != nil {
		t.Fatal(err)
	}
	m.instanceOf("a2", after.Name)
	for _, s := range []Signal{SignalKill, SignalStop, SignalContinue} {
		if err := m.agents["a2"].SignalInstance(before.Name, s); err == nil {
			t.Errorf("%v of an instance that is gone succeeded", s)
		}
	}
}

func TestStoppedProcessIsNotReadyUntilItGoesOn(t *testing.T) {
	t.Parallel()
	m := newMachineRoomWith(t, 1, withProcesses(t), "a2")
	m.deploy("ledger", "v1", "a2")
	i := m.instanceOf("a2", "")
	await(t, "its endpoint", func() bool { return slices.Equal(m.endpoints("ledger"), []string{i.Address}) })
	agent := m.agents["a2"]
	if err := agent.SignalInstance(i.Name, SignalStop); err != nil {
		t.Fatal(err)
	}
	await(t, "the kernel to say that it is stopped", func() bool { return agent.Instances()[0].State == process.Stopped })
	await(t, "its endpoint to go", func() bool { return len(m.endpoints("ledger")) == 0 })
	var pod corev1.Pod
	if err := m.store.Get(m.ctx, "pods", i.Name, &pod); err != nil {
		t.Fatal(err)
	}
	if pod.Status.Phase != corev1.PodRunning || pod.Status.Conditions[0].Reason != reasonSilent {
		t.Errorf("the pod of a stopped process is %+v", pod.Status)
	}
	if now := agent.Instances()[0]; now.Name != i.Name || now.PID != i.PID || now.Ready || len(m.others.addresses()) != 0 {
		t.Errorf("stopped, %+v is %+v and takes requests at %v", i, now, m.others.addresses())
	}
	if _, err := agent.Gatherer().Gather(); err == nil {
		t.Error("a stopped process gave its metrics")
	}
	if err := agent.SignalInstance(i.Name, SignalContinue); err != nil {
		t.Fatal(err)
	}
	await(t, "its endpoint again", func() bool { return slices.Equal(m.endpoints("ledger"), []string{i.Address}) })
	if now := m.instanceOf("a2", ""); now.PID != i.PID || now.State != process.Running {
		t.Errorf("continued, %+v is %+v", i, now)
	}
	if told := m.others.addresses(); !slices.Equal(told, []string{i.Address}) {
		t.Errorf("told of %v", told)
	}
	name, conn := m.ask(i.Address)
	conn.Close()
	if name != i.Name {
		t.Errorf("%s serves", name)
	}
}

func TestStoppedProcessCanBeKilled(t *testing.T) {
	t.Parallel()
	m := newMachineRoomWith(t, 1, withProcesses(t), "a2")
	m.deploy("ledger", "v1", "a2")
	i := m.instanceOf("a2", "")
	for _, s := range []Signal{SignalStop, SignalKill} {
		if err := m.agents["a2"].SignalInstance(i.Name, s); err != nil {
			t.Fatal(err)
		}
	}
	m.instanceOf("a2", i.Name)
}

func TestRolloutMovesProcesses(t *testing.T) {
	t.Parallel()
	m := newMachineRoomWith(t, 1, withProcesses(t), "a2", "b2")
	m.deploy("ledger", "v1", "a2", "b2")
	a := m.instanceOf("a2", "")
	before := m.endpoints("ledger")
	m.change("ledger", func(d *appsv1.Deployment) { d.Spec.Template.Annotations[deploy.AnnotationVersion] = "v2" })
	m.awaitComplete("ledger")
	after := m.instanceOf("a2", a.Name)
	if after.Version != "v2" || after.PID == a.PID {
		t.Errorf("%+v came after %+v", after, a)
	}
	for _, address := range before {
		// As above, somebody may have a copy of the socket for a moment.
		await(t, "nobody listens at the old address "+address, func() bool { return refused(address) })
	}
	m.change("ledger", func(d *appsv1.Deployment) { d.Spec.Replicas = new(int32) })
	m.awaitComplete("ledger")
	if s, err := process.Look(after.PID); err != nil || s.State != process.Gone {
		t.Errorf("scaled to nothing, a process is %v, %v", s.State, err)
	}
}

func TestBrokenVersionOfAProcessTakesNobodyAway(t *testing.T) {
	t.Parallel()
	m := newMachineRoomWith(t, 1, withProcesses(t), "a2")
	m.deploy("ledger", "v1", "a2")
	before := m.instanceOf("a2", "")
	since := m.podsRevision()
	m.change("ledger", func(d *appsv1.Deployment) { d.Spec.Template.Annotations[deploy.AnnotationVersion] = "broken" })
	m.awaitPod("the reason in a pod", since, "this version is broken")
	name, conn := m.ask(before.Address)
	conn.Close()
	if name != before.Name {
		t.Errorf("%s serves", name)
	}
}

// TestFixedSocketWaitsForTheNextProcess: who connects while there is none is
// served by the next.
func TestFixedSocketWaitsForTheNextProcess(t *testing.T) {
	t.Parallel()
	m := newMachineRoomWith(t, 1, withProcesses(t), "a1")
	m.deploy("edge", "v1", "a1")
	before := m.instanceOf("a1", "")
	if before.Address != m.fixed["a1"] {
		t.Fatalf("it is at %s, want %s", before.Address, m.fixed["a1"])
	}
	if _, conn := m.ask(before.Address); conn != nil {
		conn.Close()
	}
	// Stopped first, so that whoever connects now is in the backlog.
	if err := m.agents["a1"].SignalInstance(before.Name, SignalStop); err != nil {
		t.Fatal(err)
	}
	await(t, "the kernel to say that it is stopped", func() bool { return m.agents["a1"].Instances()[0].State == process.Stopped })
	waiting := dial(t, before.Address)
	defer waiting.Close()
	if err := m.agents["a1"].SignalInstance(before.Name, SignalKill); err != nil {
		t.Fatal(err)
	}
	var name string
	if _, err := fmt.Fscanln(waiting, &name); err != nil {
		t.Fatalf("the connection that waited: %v", err)
	}
	if after := m.instanceOf("a1", before.Name); name != after.Name || after.Address != before.Address {
		t.Errorf("the connection that waited was served by %q, there is %+v", name, after)
	}
}

func TestFixedAddressOfProcessesStaysThroughARollout(t *testing.T) {
	m := newMachineRoomWith(t, 1, withProcesses(t), "a1")
	m.deploy("edge", "v1", "a1")
	address := m.fixed["a1"]
	_, conn := m.ask(address)
	m.change("edge", func(d *appsv1.Deployment) { d.Spec.Template.Annotations[deploy.AnnotationVersion] = "v2" })
	m.awaitComplete("edge")
	if !ended(conn) {
		t.Error("the old instance's connection lives")
	}
	name, conn := m.ask(address)
	conn.Close()
	if !strings.HasPrefix(name, "edge-v2-") {
		t.Errorf("served by %q", name)
	}
	m.change("edge", func(d *appsv1.Deployment) { d.Spec.Replicas = new(int32) })
	m.awaitComplete("edge")
	if refused(address) {
		t.Error("nobody listens at the fixed address")
	}
	m.agents["a1"].Close()
	if !refused(address) {
		t.Error("the fixed address outlives its agent")
	}
}

// TestAddressesAreNamesWhereHostsHaveNames: what is advertised is what everybody
// is told.
func TestAddressesAreNamesWhereHostsHaveNames(t *testing.T) {
	t.Parallel()
	m := newMachineRoomWith(t, 1, func(cfg *AgentConfig) { cfg.AdvertiseHost = "localhost" }, "a1")
	m.deploy("edge", "v1", "a1")
	i := m.instanceOf("a1", "")
	_, port, err := net.SplitHostPort(m.fixed["a1"])
	if err != nil {
		t.Fatal(err)
	}
	want := "localhost:" + port
	await(t, "its endpoint", func() bool { return slices.Equal(m.endpoints("edge"), []string{want}) })
	if i.Address != want || !slices.Equal(m.others.addresses(), []string{want}) {
		t.Errorf("it is at %s, told of %v, want %s", i.Address, m.others.addresses(), want)
	}
}

func TestMetricsSayWhose(t *testing.T) {
	t.Parallel()
	m := newMachineRoomWith(t, 1, withProcesses(t), "a2", "b2")
	m.deploy("ledger", "v1", "a2", "b2")
	i := m.instanceOf("a2", "")
	var families []*dto.MetricFamily
	// A process that does not answer at once is left out, with an error.
	await(t, "its metrics", func() bool {
		var err error
		families, err = m.agents["a2"].Gatherer().Gather()
		return err == nil
	})
	at := slices.IndexFunc(families, func(f *dto.MetricFamily) bool { return f.GetName() == "bb_test_up" })
	if at < 0 || len(families[at].Metric) != 1 {
		t.Fatalf("metrics %v", families)
	}
	labels := map[string]string{}
	for _, l := range families[at].Metric[0].Label {
		labels[l.GetName()] = l.GetValue()
	}
	if len(labels) != 2 || labels["service"] != "ledger" || labels["instance"] != i.Name {
		t.Errorf("labels %v", labels)
	}
	m.agents["a2"].Close()
	if families, err := m.agents["a2"].Gatherer().Gather(); err != nil || len(families) != 0 {
		t.Errorf("closed, it has metrics %v, %v", families, err)
	}
}

func TestArmsWithoutARouterAreRefusedWithProcesses(t *testing.T) {
	edge, router := listen(t), listen(t)
	_, err := Start(t.Context(), AgentConfig{
		Name: "a2", APIServers: []string{"http://127.0.0.1:1"}, Store: &registry.Store{},
		NewRouter:      func([]byte, net.Listener) (Router, error) { return nil, nil },
		RouterListener: router, Fixed: map[string]*net.TCPListener{"edge": edge},
		Listen:    func() (*net.TCPListener, error) { return nil, nil },
		Processes: testSpawner(t), NewCaller: newOthers().newCaller,
	})
	if err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "without a router") {
		t.Errorf("error %v", err)
	}
	for _, l := range []net.Listener{edge, router} {
		if !refused(l.Addr().String()) {
			t.Errorf("%s is still open", l.Addr())
		}
	}
}

// runInstance runs the command by hand, and returns what it says on standard
// output and error.
func runInstance(t *testing.T, spec string, files ...*os.File) (stdout, stderr string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "--spec", spec)
	cmd.Env = append(os.Environ(), roleEnv+"="+roleInstance)
	cmd.ExtraFiles = files
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}

func TestBadSpecificationIsSaidInOneLine(t *testing.T) {
	whole := `{"service":"ledger","instance":"ledger-v1-1-a2","router_addr":"127.0.0.1:1","data_dir":"/tmp"`
	for name, c := range map[string]struct{ spec, says string }{
		"no file":            {"", "no such file"},
		"no JSON":            {"service: ledger", "invalid character"},
		"another key":        {whole + `,"port":7}`, "unknown field"},
		"without a service":  {`{"instance":"x","router_addr":"127.0.0.1:1","data_dir":"/tmp"}`, "service is missing"},
		"no such service":    {strings.Replace(whole, `"ledger"`, `"loans"`, 1) + "}", `no such service "loans"`},
		"too large":          {whole + strings.Repeat(" ", specBytesMax) + "}", "larger than"},
		"without its socket": {whole + "}", "file descriptor 3 is no socket"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "instance.json")
			if c.spec != "" {
				if err := os.WriteFile(path, []byte(c.spec), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			stdout, stderr, err := runInstance(t, path)
			if err == nil {
				t.Error("it exits with 0")
			}
			if strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, c.says) || strings.Contains(stderr, "goroutine") {
				t.Errorf("it says %q, want one line with %q", stderr, c.says)
			}
			if strings.Contains(stdout, "ready") || !strings.Contains(stdout, "failed") {
				t.Errorf("on standard output it says %q", stdout)
			}
		})
	}
}

func TestSpecificationIsForItsOwnerOnly(t *testing.T) {
	want := InstanceSpec{
		Service: "ledger", Version: "v1", Instance: "ledger-v1-1-a2", Node: "a2", Zone: "a", RouterAddr: "127.0.0.1:1",
		BookAddr: "127.0.0.1:2", NATSURL: "nats://127.0.0.1:3", StandinAddr: "127.0.0.1:4", Fallback: "routed",
		FallbackOn: true, AccessLog: true, DataDir: t.TempDir(), Shared: true,
	}
	path, err := want.write()
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("its mode is %v, %v", info.Mode(), err)
	}
	got, err := readSpec(path)
	if err != nil || got != want {
		t.Errorf("read %+v, %v, want %+v", got, err, want)
	}
	if again := specOf(got.env(), true); again != want {
		t.Errorf("an instance is told %+v, want %+v", again, want)
	}
}

// TestLogsOfProcessesAreJSONLines: whatever the service, each line says which
// instance it is from.
func TestLogsOfProcessesAreJSONLines(t *testing.T) {
	s, log := testSpawner(t), &lockedBuffer{}
	s.Output = func(service string) io.Writer {
		if service != "ledger" {
			t.Errorf("output of %q is asked for", service)
		}
		return log
	}
	m := maker{t: t, make: s.New}
	instance := m.start("ledger")
	conn := dial(t, instance.address)
	defer conn.Close()
	if _, err := fmt.Fscanln(conn, new(string)); err != nil {
		t.Fatal(err)
	}
	instance.Kill()
	if err := instance.over(t); err != nil {
		t.Error(err)
	}
	if text := log.String(); !strings.Contains(text, `"part":"ledger","instance":"ledger-v1-1-a2"`) {
		t.Errorf("the log is %q", text)
	}
}

// lockedBuffer is a buffer that is safe for concurrent use.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// TestStartOfAProcessIsBounded: one that says nothing is given up.
func TestStartOfAProcessIsBounded(t *testing.T) {
	for name, c := range map[string]struct {
		command []string
		limit   time.Duration
		says    string
	}{
		"silent":    {[]string{"sh", "-c", "exec sleep 100"}, 100 * time.Millisecond, "not ready in time"},
		"talkative": {[]string{"sh", "-c", "echo hello; exec sleep 100"}, testLimit, "hello"},
		"dead":      {[]string{"sh", "-c", "exit 3"}, testLimit, "exit status 3"},
		"absent":    {[]string{"/nonexistent"}, testLimit, "no such file"},
		"nothing":   {nil, testLimit, "no command"},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), c.limit)
		defer cancel()
		l := listen(t)
		_, err := (&Spawner{Command: c.command}).New(ctx, Env{Service: "ledger", Instance: "x", Listener: l, DataDir: t.TempDir()})
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: error %v, want %q", name, err, c.says)
		}
		l.Close()
	}
}
