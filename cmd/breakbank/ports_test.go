package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"breakbank/bench/arm"
	"breakbank/platform/cluster"
	"breakbank/platform/telemetry"
	adminv1 "breakbank/proto/admin/v1"
	"breakbank/services/bank"
)

// TestEveryPortRefusesWhatIsHostile: whatever comes in at whatever port of a
// platform, it is refused with the right status, nothing is changed by it, no
// process ends, the next good request is answered, and nothing of it is in an
// answer or in a log; and who begins a request and does not go on is cut off.
func TestEveryPortRefusesWhatIsHostile(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: hostile requests need a whole platform in fifty processes, 30 s; run without -short")
	}
	p := startGuarded(t)
	before := p.look(t)
	ports := p.ports(t)
	stalled := stallAt(ports)
	t.Run("ports", func(t *testing.T) {
		for _, at := range ports {
			t.Run(at.name, func(t *testing.T) {
				t.Parallel()
				for _, h := range at.hostile {
					got := h.send(at.address)
					if !slices.Contains(strings.Split(h.want, or), got.outcome) {
						t.Errorf("%s: %s, want %s; it said %.300q", h.name, got.outcome, h.want, got.said)
					}
					p.mustNotTell(t, h.name, got.said)
					if len(got.said) > maxRefusal {
						t.Errorf("%s: the answer has %d bytes, more than %d", h.name, len(got.said), maxRefusal)
					}
				}
				if err := at.good(at.address); err != nil {
					t.Errorf("a good request after that: %v", err)
				}
			})
		}
	})
	stalled(t)
	p.unchanged(t, before)

	tap := []string{"ctl", "--control", p.address, "--token-file", p.tokenFile}
	if code, stdout, stderr := command(t, append(tap, "tap")...); code != exitOK {
		t.Errorf("a card tap, after all: exit code %d: %s%s", code, stdout, stderr)
	}
	if code, stdout, stderr := command(t, append(tap, "books")...); code != exitOK {
		t.Errorf("the books: exit code %d: %s%s", code, stdout, stderr)
	}
	p.child.Kill()
	p.checkLogs(t)
}

// or is between the outcomes that a request may have.
const or = " or "

// maxRefusal is how long a refusal may be, in bytes: nobody gets more for
// something hostile.
const maxRefusal = 4 << 10

// guarded is a platform in many processes whose admin listeners ask for a
// token, and which logs every call.
type guarded struct {
	child     *cluster.Child
	topology  cluster.Topology // with the parts as they were placed
	address   string           // of the control API
	token     string
	tokenFile string
	conn      *grpc.ClientConn // to the control API
	admin     adminv1.AdminServiceClient
	ledger    string // an instance's address
}

func startGuarded(t *testing.T) *guarded {
	t.Helper()
	dir := t.TempDir()
	random := make([]byte, 32)
	_, _ = rand.Read(random) // It cannot fail.
	p := &guarded{token: hex.EncodeToString(random), tokenFile: filepath.Join(dir, "token")}
	write(t, p.tokenFile, p.token)
	a, err := arm.Load("linkerd-2017")
	if err != nil {
		t.Fatal(err)
	}
	topology := standardTopology(a)
	topology.Layout, topology.Dir, topology.LogDir = cluster.LayoutProcesses, filepath.Join(dir, "platform"), filepath.Join(dir, "logs")
	topology.TokenFile, topology.AccessLog = p.tokenFile, true
	for _, d := range []string{topology.Dir, topology.LogDir} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(asCommand, t.Name())
	p.child, err = cluster.Spawn(t.Context(), executable, topology, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.child.Kill)
	if p.topology, err = cluster.ReadTopology(filepath.Join(topology.Dir, "parts.yaml")); err != nil {
		t.Fatal(err)
	}
	p.address = p.child.Admin.Target()
	p.conn, err = grpc.NewClient(p.address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithPerRPCCredentials(telemetry.NewClientCredentials(p.token)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.conn.Close() })
	p.admin = adminv1.NewAdminServiceClient(p.conn)
	for _, i := range p.state(t).GetInstances() {
		if i.GetService() == "ledger" {
			p.ledger = i.GetAddress()
		}
	}
	return p
}

// state is what the platform says of itself.
func (p *guarded) state(t *testing.T) *adminv1.WatchStateResponse {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), cutLimit)
	defer cancel()
	stream, err := p.admin.WatchState(ctx, &adminv1.WatchStateRequest{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// seen is what hostile requests must not change.
type seen struct {
	processes map[string]int64 // by name, their ids
	entries   map[string]int64 // of each store's journal
	services  string           // the registry's, with their versions
	injected  int              // faults
}

func (p *guarded) look(t *testing.T) seen {
	t.Helper()
	now := seen{processes: map[string]int64{}, entries: map[string]int64{}}
	state := p.state(t)
	for _, process := range state.GetProcesses() {
		now.processes[process.GetName()] = process.GetPid()
	}
	now.injected = len(state.GetFaults())
	books, err := p.admin.CheckBooks(t.Context(), &adminv1.CheckBooksRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range books.GetStores() {
		now.entries[s.GetStore()] = s.GetEntries()
	}
	now.services = p.services(t)
	return now
}

// services are the names and versions of all Services there are.
func (p *guarded) services(t *testing.T) string {
	t.Helper()
	client := &http.Client{Timeout: cutLimit}
	resp, err := client.Get("http://" + p.topology.PartsOf(cluster.RoleAPIServer)[0].Address + "/api/v1/services")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var list struct {
		Items []struct {
			Metadata struct{ Name, ResourceVersion string }
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&list); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(list.Items)
}

// unchanged compares with what was seen before.
func (p *guarded) unchanged(t *testing.T, before seen) {
	t.Helper()
	now := p.look(t)
	if len(before.processes) < 40 || len(before.entries) != len(bank.Stores) || before.services == "[]" {
		t.Errorf("too little was seen to judge by: %d processes, %d stores, services %s", len(before.processes), len(before.entries), before.services)
	}
	for name, pid := range before.processes {
		if now.processes[name] != pid {
			t.Errorf("process %s was %d and is %d", name, pid, now.processes[name])
		}
	}
	if len(now.processes) != len(before.processes) {
		t.Errorf("there were %d processes and there are %d", len(before.processes), len(now.processes))
	}
	if !maps.Equal(now.entries, before.entries) {
		t.Errorf("the journals had %v entries and have %v", before.entries, now.entries)
	}
	if now.services != before.services {
		t.Errorf("the registry had services %s and has %s", before.services, now.services)
	}
	if now.injected != 0 {
		t.Errorf("%d faults were injected", now.injected)
	}
}

// mustNotTell fails if a text says what a client has sent, or the token.
func (p *guarded) mustNotTell(t *testing.T, where, text string) {
	t.Helper()
	for what, secret := range map[string]string{"what was sent": canary, "the token": p.token} {
		if at := strings.Index(text, secret); at >= 0 {
			t.Errorf("%s tells %s: …%s…", where, what, text[max(0, at-120):min(len(text), at+len(secret)+40)])
		}
	}
}

// checkLogs reads every log of every process.
func (p *guarded) checkLogs(t *testing.T) {
	t.Helper()
	read, calls := 0, 0
	err := filepath.WalkDir(p.topology.LogDir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		read++
		calls += bytes.Count(text, []byte(`"msg":"call"`))
		p.mustNotTell(t, filepath.Base(path), string(text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if read < 40 || calls == 0 {
		t.Errorf("%d logs were read, with %d calls: too little to judge by", read, calls)
	}
}

// stallAt has somebody at each port who begins and does not go on. What it
// returns waits until all of them are cut off.
func stallAt(ports []port) (cutOff func(t *testing.T)) {
	type outcome struct {
		what  string
		limit time.Duration
		took  time.Duration
		err   error
	}
	outcomes, sent := make(chan outcome, 2*len(ports)), 0 // Room for all: nobody may be waiting.
	begin := func(at port, what, beginning string, limit time.Duration) {
		if limit == 0 {
			return
		}
		sent++
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), limit)
			defer cancel()
			took, err := stall(ctx, at.address, beginning)
			outcomes <- outcome{at.name + ", " + what, limit, took, err}
		}()
	}
	for _, at := range ports {
		begin(at, "one byte", "P", at.patience)
		begin(at, "one byte of a body", "POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{", at.bodyPatience)
	}
	return func(t *testing.T) {
		t.Helper()
		for range sent {
			if o := <-outcomes; o.err != nil {
				t.Errorf("%s: %v, the limit is %v", o.what, o.err, o.limit)
			}
		}
	}
}
