package discovery

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
)

// The scripts in testdata/scripts each tell one story. Their prose is the
// documentation of the algorithm; what stands under ---- is what the core
// wants done. Regenerate with -rewrite and read the diff.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/scripts", func(t *testing.T, path string) {
		s := &script{t: t}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			run, ok := scriptCommands[d.Cmd]
			if !ok {
				t.Fatalf("%s: unknown command %q", d.Pos, d.Cmd)
			}
			s.out.Reset()
			run(s, d)
			if s.out.Len() == 0 {
				return "ok\n"
			}
			return s.out.String()
		})
	})
}

// script is one router's core, its time, and who it is talking to.
type script struct {
	t        *testing.T
	core     *Core
	began    time.Time
	now      time.Time
	names    []string
	sessions map[string]SessionID // the open session with each source
	out      strings.Builder
}

var scriptCommands = map[string]func(*script, *datadriven.TestData){
	"router":     (*script).router,
	"snapshot":   (*script).snapshot,
	"list":       (*script).list,
	"list-fails": (*script).listFails,
	"change":     (*script).change,
	"delete":     (*script).delete,
	"bookmark":   (*script).bookmark,
	"break":      (*script).breakWatch,
	"evidence":   (*script).evidence,
	"probed":     (*script).probed,
	"nodes":      (*script).nodes,
	"told":       (*script).told,
	"wait":       (*script).wait,
	"table":      (*script).table,
	"state":      (*script).state,
}

// router parser=… policies=(…) [watch-null=…] [sources=(…)] [zones], a seed: a
// router starts; with zones it wants to know where instances are. Sources called peer-… are other routers, those called kube-… are
// Kubernetes' own API servers.
func (s *script) router(d *datadriven.TestData) {
	parser, watchNull := "linkerd-2018", DropNull
	d.MaybeScanArgs(s.t, "parser", &parser)
	d.MaybeScanArgs(s.t, "watch-null", &watchNull)
	s.names = []string{"api-a", "api-b", "api-c", "etcd"}
	if arg, ok := d.Arg("sources"); ok {
		s.names = arg.Vals
	}
	var config Config
	for _, name := range s.names {
		source := SourceInfo{Name: name, Direct: name == "etcd", Peer: strings.HasPrefix(name, "peer-")}
		if strings.HasPrefix(name, "kube-") {
			source.BookmarkEvery = kubernetesBookmarkEvery
		}
		config.Sources = append(config.Sources, source)
	}
	config.Seed = Addresses{}
	for line := range strings.Lines(d.Input) {
		fields := strings.Fields(line)
		config.Seed[fields[0]] = fields[1:]
	}
	var err error
	if config.Parser, err = ParserByName(parser); err != nil {
		s.t.Fatal(err)
	}
	if arg, ok := d.Arg("policies"); ok {
		if config.Policies, err = PoliciesByName(arg.Vals); err != nil {
			s.t.Fatal(err)
		}
	}
	config.WatchNull, config.Zones = watchNull, d.HasArg("zones")
	config.Rand = rand.New(rand.NewPCG(1, 1))
	s.core = New(config)
	s.sessions = map[string]SessionID{}
	s.began = time.Date(2017, 10, 27, 14, 10, 0, 0, time.UTC)
	s.now = s.began
	s.step(Start{})
}

// snapshot rev=… age=…, records: what the disk had; lines that begin with
// "kept" are addresses that the registry had taken out.
func (s *script) snapshot(d *datadriven.TestData) {
	var rev int64
	var age string
	d.ScanArgs(s.t, "rev", &rev)
	d.ScanArgs(s.t, "age", &age)
	old, err := time.ParseDuration(age)
	if err != nil {
		s.t.Fatal(err)
	}
	var entries []Entry
	var kept []Kept
	var records strings.Builder
	for line := range strings.Lines(d.Input) {
		if fields := strings.Fields(line); fields[0] == "kept" {
			k := Kept{Service: fields[1], Usual: len(fields) - 2}
			for _, addr := range fields[2:] {
				k.Endpoints = append(k.Endpoints, Endpoint{Addr: addr})
			}
			kept = append(kept, k)
			continue
		}
		records.WriteString(line)
	}
	for _, item := range s.records(records.String(), rev) {
		entry, err := linkerd2018.Parse(item)
		if err != nil {
			s.t.Fatal(err)
		}
		entries = append(entries, entry)
	}
	s.step(SnapshotLoaded{Entries: entries, Kept: kept, Revision: rev, SavedAt: s.now.Add(-old)})
}

// list from=… rev=… [age=…], records: a source answers its list; a peer, with
// how long ago it was told.
func (s *script) list(d *datadriven.TestData) {
	session, rev := s.from(d)
	s.step(Listed{Session: session, Revision: rev, Items: s.records(d.Input, rev), HeardAt: s.heardAt(d)})
}

// list-fails from=…
func (s *script) listFails(d *datadriven.TestData) {
	session, _ := s.from(d)
	s.step(ListFailed{Session: session, Err: errors.New("timed out")})
}

// change from=… rev=…, one record: a watch reports it.
func (s *script) change(d *datadriven.TestData) {
	session, rev := s.from(d)
	for _, item := range s.records(d.Input, rev) {
		s.step(Changed{Session: session, Revision: rev, Item: item})
	}
}

// delete from=… rev=…, one record: a watch reports that it is gone.
func (s *script) delete(d *datadriven.TestData) {
	session, rev := s.from(d)
	for _, item := range s.records(d.Input, rev) {
		s.step(Changed{Session: session, Revision: rev, Deleted: true, Item: item})
	}
}

// bookmark from=… rev=… [age=…]
func (s *script) bookmark(d *datadriven.TestData) {
	session, rev := s.from(d)
	s.step(Bookmark{Session: session, Revision: rev, HeardAt: s.heardAt(d)})
}

func (s *script) heardAt(d *datadriven.TestData) time.Time {
	arg, ok := d.Arg("age")
	if !ok {
		return time.Time{}
	}
	age, err := time.ParseDuration(arg.Vals[0])
	if err != nil {
		s.t.Fatal(err)
	}
	return s.now.Add(-age)
}

// break from=… [gone]: a watch ends.
func (s *script) breakWatch(d *datadriven.TestData) {
	session, _ := s.from(d)
	s.step(WatchBroken{Session: session, Gone: d.HasArg("gone"), Err: errors.New("connection reset")})
}

// evidence unreachable|misdelivered service=… addr=…
func (s *script) evidence(d *datadriven.TestData) {
	e := Evidence{Kind: Unreachable}
	if d.HasArg("misdelivered") {
		e.Kind = Misdelivered
	}
	d.ScanArgs(s.t, "service", &e.Service)
	d.ScanArgs(s.t, "addr", &e.Addr)
	s.step(e)
}

// probed alive|refused|late service=… addr=(…): what the probes have found.
func (s *script) probed(d *datadriven.TestData) {
	var service string
	d.ScanArgs(s.t, "service", &service)
	arg, _ := d.Arg("addr")
	for _, addr := range arg.Vals {
		s.step(Probed{Service: service, Addr: addr, Alive: d.HasArg("alive"), Late: d.HasArg("late")})
	}
}

// nodes [fails], nodes and their zones: what a source has answered to locate.
func (s *script) nodes(d *datadriven.TestData) {
	if d.HasArg("fails") {
		s.step(Located{Err: errors.New("forbidden")})
		return
	}
	zones := map[string]string{}
	for line := range strings.Lines(d.Input) {
		fields := append(strings.Fields(line), "")
		zones[fields[0]] = fields[1]
	}
	s.step(Located{Zones: zones})
}

// told after=…: what another router that asks is told.
func (s *script) told(d *datadriven.TestData) {
	var after int64
	d.ScanArgs(s.t, "after", &after)
	t := s.core.Told(after)
	switch {
	case t.Revision == 0:
		fmt.Fprintln(&s.out, "no source stands behind this table")
	case t.Revision <= after:
		fmt.Fprintf(&s.out, "revision %d, heard %v ago: not newer\n", t.Revision, s.now.Sub(t.HeardAt))
	default:
		fmt.Fprintf(&s.out, "revision %d, heard %v ago:\n", t.Revision, s.now.Sub(t.HeardAt))
		for _, entry := range t.Entries {
			fmt.Fprintln(&s.out, describeEntry(entry))
		}
	}
}

// wait for=… [bookmarks=(…) rev=… every=…]: time passes, tick by tick; the
// sources named send a bookmark each second, or every so often, if they are
// watched.
func (s *script) wait(d *datadriven.TestData) {
	var text string
	var rev int64
	d.ScanArgs(s.t, "for", &text)
	d.MaybeScanArgs(s.t, "rev", &rev)
	duration, err := time.ParseDuration(text)
	if err != nil {
		s.t.Fatal(err)
	}
	every := time.Second
	if arg, ok := d.Arg("every"); ok {
		if every, err = time.ParseDuration(arg.Vals[0]); err != nil {
			s.t.Fatal(err)
		}
	}
	arg, _ := d.Arg("bookmarks")
	for end := s.now.Add(duration); s.now.Before(end); {
		s.now = s.now.Add(TickEvery)
		s.step(Tick{})
		if s.now.Sub(s.began)%every != 0 {
			continue
		}
		for _, name := range arg.Vals {
			if session := s.sessions[name]; session != 0 {
				s.step(Bookmark{Session: session, Revision: rev})
			}
		}
	}
}

// table prints what is believed.
func (s *script) table(*datadriven.TestData) {
	for _, name := range sortedKeys(s.core.table) {
		fmt.Fprintln(&s.out, describeEntry(s.core.table[name]))
	}
}

// state prints the core's view of itself.
func (s *script) state(*datadriven.TestData) {
	state := s.core.State()
	basis := map[Basis]string{
		Pending: "pending", FromSeed: "seed", FromSnapshot: "snapshot", FromPeer: "peer", FromSource: "source",
	}[state.Basis]
	fmt.Fprintf(&s.out, "basis=%s source=%s synced=%v poisoned=%v revision=%d", basis, state.Source, state.Synced, state.Poisoned, state.Revision)
	if state.Kept > 0 {
		fmt.Fprintf(&s.out, " kept=%d", state.Kept)
	}
	if state.SilentAfter != heartbeatSilence {
		fmt.Fprintf(&s.out, " silent-after=%v", state.SilentAfter)
	}
	fmt.Fprintf(&s.out, "\n%s\n", state.Detail)
}

func (s *script) from(d *datadriven.TestData) (SessionID, int64) {
	var name string
	var rev int64
	d.ScanArgs(s.t, "from", &name)
	d.MaybeScanArgs(s.t, "rev", &rev)
	if s.sessions[name] == 0 {
		s.t.Fatalf("%s: %s is not being read", d.Pos, name)
	}
	return s.sessions[name], rev
}

// records turns lines into records: "ledger a2:1 b2:1", "ledger a2:1@node",
// "pots null", "pots absent", "pots malformed", "malformed".
func (s *script) records(input string, rev int64) []json.RawMessage {
	var items []json.RawMessage
	for line := range strings.Lines(input) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		items = append(items, s.record(fields[0], fields[1:], rev))
	}
	return items
}

func (s *script) record(name string, rest []string, rev int64) json.RawMessage {
	meta := fmt.Sprintf(`"metadata":{"name":%q,"resourceVersion":"%d"}`, name, rev)
	switch {
	case name == "malformed":
		return json.RawMessage(`[]`)
	case slices.Equal(rest, []string{"null"}):
		return json.RawMessage(`{` + meta + `,"subsets":null}`)
	case slices.Equal(rest, []string{"absent"}):
		return json.RawMessage(`{` + meta + `}`)
	case slices.Equal(rest, []string{"malformed"}):
		return json.RawMessage(`{` + meta + `,"subsets":"none"}`)
	}
	subsets := []string{}
	for _, addr := range rest {
		addr, node, _ := strings.Cut(addr, "@")
		host, port, err := net.SplitHostPort(addr)
		if err != nil {
			s.t.Fatal(err)
		}
		subsets = append(subsets, fmt.Sprintf(`{"addresses":[{"ip":%q,"nodeName":%q,"targetRef":{"name":"%s-%s"}}],"ports":[{"port":%s}]}`, host, node, name, host, port))
	}
	return json.RawMessage(`{` + meta + `,"subsets":[` + strings.Join(subsets, ",") + `]}`)
}

// step tells the core, and writes down what it wants done.
func (s *script) step(e Event) {
	at := "t=" + strconv.FormatFloat(s.now.Sub(s.began).Seconds(), 'f', 1, 64)
	for _, effect := range s.core.Step(s.now, e) {
		fmt.Fprintf(&s.out, "%s %s\n", at, s.describe(effect))
	}
}

func (s *script) describe(effect Effect) string {
	in := func(after time.Duration) string {
		if after == 0 {
			return ""
		}
		return " in " + after.Round(time.Millisecond).String()
	}
	switch e := effect.(type) {
	case List:
		s.sessions[s.names[e.Source]] = e.Session
		return "list " + s.names[e.Source] + in(e.After)
	case Watch:
		s.sessions[s.names[e.Source]] = e.Session
		return fmt.Sprintf("watch %s from %d%s", s.names[e.Source], e.Revision, in(e.After))
	case Stop:
		for name, session := range s.sessions {
			if session == e.Session {
				s.sessions[name] = 0
				return "stop " + name
			}
		}
		return "stop a session that is not open"
	case Dial:
		return "dial " + s.names[e.Source]
	case HangUp:
		return "hang up " + s.names[e.Source]
	case Publish:
		var parts []string
		if e.Pending {
			parts = append(parts, "nothing is known")
		}
		for _, entry := range e.Entries {
			parts = append(parts, describeEntry(entry))
		}
		for _, name := range e.Removed {
			parts = append(parts, "no "+name)
		}
		return "publish " + strings.Join(parts, ", ")
	case LoadSnapshot:
		return "load the snapshot"
	case SaveSnapshot:
		kept := ""
		for _, k := range e.Kept {
			kept += fmt.Sprintf(", %d kept of %s", len(k.Endpoints), k.Service)
		}
		return fmt.Sprintf("save %d names at revision %d%s", len(e.Entries), e.Revision, kept)
	case Probe:
		return fmt.Sprintf("probe %s of %s", e.Endpoint.Addr, e.Service)
	case Locate:
		return "locate nodes at " + s.names[e.Source]
	case Log:
		return fmt.Sprintf("log %s: %s", e.Level, e.Text)
	default:
		return fmt.Sprintf("%T", effect)
	}
}

func describeEntry(e Entry) string {
	addrs := make([]string, len(e.Endpoints))
	for i, ep := range e.Endpoints {
		addrs[i] = ep.Addr
		if ep.Zone != "" {
			addrs[i] += "@" + ep.Zone
		}
	}
	return e.Service + "=[" + strings.Join(addrs, " ") + "]"
}

func sortedKeys(m map[string]Entry) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
