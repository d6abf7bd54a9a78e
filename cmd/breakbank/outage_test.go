package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"breakbank/bench/replay"
	"breakbank/bench/result"
	"breakbank/loadgen"
	"breakbank/loadgen/customers"
	"breakbank/loadgen/recording"
)

// The replays below are real: the whole platform, the whole condensed script,
// judged on result.json. They are played one after the other: two at a time are
// more than two cores bear, though each mostly waits. The first must end within
// shortLimit.
const shortLimit = 35 * time.Second

// allReplays names the variable that has all replays played, as 'make replays'
// does: half a minute each is more than 'go test ./...' has for them, and one in
// fifty processes wants a machine on which no other package is tested meanwhile.
const allReplays = "BREAKBANK_REPLAYS"

// further is a test with replays besides those of the outage itself and of the
// arm that comes through unharmed.
func further(t *testing.T) {
	t.Helper()
	if os.Getenv(allReplays) == "" {
		t.Skip("SKIPPED: further replays take half a minute each, with the machine to themselves; run 'make replays'")
	}
}

// played is a replay and where its files are.
type played struct {
	*result.Result
	dir  string
	took time.Duration
}

// play replays monzo-2017-short as a user would.
func play(t *testing.T, args ...string) played {
	t.Helper()
	return playInto(t, t.TempDir(), args...)
}

// playInto leaves the replay's files in a directory.
func playInto(t *testing.T, out string, args ...string) played {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIPPED: a real replay takes half a minute; run without -short")
	}
	begun := time.Now()
	code, stdout, stderr := command(t, append([]string{"replay", "monzo-2017-short", "--out", out}, args...)...)
	took := time.Since(begun)
	t.Logf("took %.1f s", took.Seconds())
	results, err := filepath.Glob(filepath.Join(out, "*", replay.ResultName))
	if err != nil || len(results) != 1 {
		t.Fatalf("exit code %d, %d results: %s%s", code, len(results), stdout, stderr)
	}
	r, err := replay.Read(filepath.Dir(results[0]))
	if err != nil {
		t.Fatal(err)
	}
	if code != exitOK && code != exitInvalid || r.Partial {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	for _, reason := range r.InvalidReasons {
		// A busy machine spoils latencies, not what these tests look at.
		t.Logf("INVALID: %s", reason)
	}
	if !r.Audit.Passed || len(r.Audit.Checks) == 0 {
		t.Errorf("the books do not balance: %+v", r.Audit.Checks)
	}
	for _, f := range r.Faults {
		if f.Proof == 0 {
			t.Errorf("fault %s at %s left no proof: %s", f.Name, f.Target, f.Evidence)
		}
	}
	return played{r, filepath.Dir(results[0]), took}
}

// tries is how often a replay is played whose measurement is INVALID, as .ci/run
// does.
const tries = 3

// credible fails with what is wrong with a replay. An INVALID one says itself
// that the machine was busy with something else and that it is not to be
// believed: where something is wrong with that, it is played again.
func credible(t *testing.T, play func(again bool) (valid bool, wrong findings)) {
	t.Helper()
	for try := 1; ; try++ {
		valid, wrong := play(try > 1)
		if !valid && len(wrong) > 0 && try < tries {
			t.Logf("try %d is INVALID and shows something else: %s", try, strings.Join(wrong, "; "))
			continue
		}
		for _, what := range wrong {
			t.Error(what)
		}
		return
	}
}

// findings are what is wrong with a replay.
type findings []string

func (f *findings) add(format string, args ...any) { *f = append(*f, fmt.Sprintf(format, args...)) }

// unseen is what a replay must show and does not.
func unseen(p played) (wrong findings) {
	if len(p.Expectations) == 0 {
		wrong.add("nothing was expected")
	}
	for _, e := range p.Expectations {
		if !e.Seen {
			wrong.add("%s, %s: must be %s, was %.3f of %d", e.Phase, e.Journey, e.Expected, e.Observed, e.Offered)
		}
	}
	return wrong
}

// lengths says where a replay's time went.
func lengths(r *result.Result) string {
	var b strings.Builder
	for _, ph := range r.Phases {
		fmt.Fprintf(&b, " %s %.1f s,", ph.Name, ph.ToS-ph.FromS)
	}
	b.WriteString(" the rest before and after")
	return b.String()
}

// phase returns a phase of the result.
func (p played) phase(t *testing.T, name string) result.Phase {
	t.Helper()
	i := slices.IndexFunc(p.Phases, func(ph result.Phase) bool { return ph.Name == name })
	if i < 0 {
		t.Fatalf("no phase %s", name)
	}
	return p.Phases[i]
}

// since sums what was decided from a moment of the run to the end of a phase.
func (p played) since(fromS float64, ph result.Phase) map[string]result.Counts {
	sums := map[string]result.Counts{}
	for _, second := range p.Series {
		if second.TS >= fromS && second.TS < ph.ToS {
			for name, j := range second.Journeys {
				sums[name] = sums[name].Plus(j.Counts)
			}
		}
	}
	return sums
}

// TestTheOutageIsSeen: arm linkerd-2017 shows the table of the incident phase
// by phase, the log line and the books included.
func TestTheOutageIsSeen(t *testing.T) {
	var p played
	credible(t, func(again bool) (bool, findings) {
		p = inOneProcess(t, "linkerd-2017", again)
		wrong := unseen(p)
		if p.took > shortLimit {
			wrong.add("took %v, more than %v:%s", p.took, shortLimit, lengths(p.Result))
		}
		if p.Impact.FullOutageS < 4 {
			wrong.add("%.1f s of total outage, the phase lasts 6 s", p.Impact.FullOutageS)
		}
		return p.Valid, wrong
	})
	found := slices.ContainsFunc(p.Timeline, func(e result.Event) bool {
		return e.ID == "find-cause" && strings.Contains(e.Text, "subsets is null")
	})
	if !found {
		t.Error("the parse failure was not found in a router's log")
	}
	checkHops(t, p)
}

// checkHops fixes the path of each journey: every hop behind an edge that goes
// through a router reports one attempt when all is well.
func checkHops(t *testing.T, p played) {
	t.Helper()
	hops := map[string]int{
		"card_tap":     2, // cardauth, ledger
		"prepaid_tap":  1, // prepaid
		"transfer_out": 2, // payments, ledger
		"transfer_in":  2, // payments, ledger
		"app_refresh":  3, // balance, ledger; feed
		"cops_lookup":  4, // balance, ledger; feed; cardauth
	}
	file, err := os.Open(filepath.Join(p.dir, recording.JournalName))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	baseline := p.phase(t, "baseline")
	seen := map[string]int{}
	for r, err := range recording.ReadJournal(file, loadgen.Names(customers.Journeys[:])) {
		if err != nil {
			t.Fatal(err)
		}
		s := float64(r.DoneNs) / 1e9
		if r.Outcome != loadgen.OK || s < baseline.FromS || s >= baseline.ToS {
			continue
		}
		name := r.Name
		seen[name]++
		if r.Attempts != hops[name] {
			t.Errorf("%s %s made %d attempts over routers, its path has %d hops", name, r.Key, r.Attempts, hops[name])
		}
	}
	if len(seen) < len(hops)-1 { // At this rate the rarest journey may not occur.
		t.Errorf("only %v occurred", seen)
	}
}

// TestIndependentStandInAnswers: reached past the router, stand-in keeps card
// taps answered through all of the outage.
func TestIndependentStandInAnswers(t *testing.T) {
	further(t)
	credible(t, func(bool) (valid bool, wrong findings) {
		p := play(t, "--fallback", "independent")
		for _, ph := range p.Phases {
			if j := ph.Journeys["card_tap"]; j.Offered > 0 && j.Answered() < 0.95 {
				wrong.add("%s: %.1f %% of %d card taps answered", ph.Name, 100*j.Answered(), j.Offered)
			}
		}
		if p.phase(t, "total_outage").Journeys["card_tap"].Degraded == 0 {
			wrong.add("stand-in answered nothing: the outage did not take place")
		}
		return p.Valid, wrong
	})
}

// TestWithoutTheEmptyService: nothing poisons a router then, and restarting all
// of them after the API servers brings everything back.
func TestWithoutTheEmptyService(t *testing.T) {
	further(t)
	credible(t, func(bool) (valid bool, wrong findings) {
		p := play(t, "--without", "pots")
		outage := p.phase(t, "total_outage")
		const settled = 2.5 // The last router's restart, and calls sent before it.
		for name, c := range p.since(outage.FromS+settled, outage) {
			if c.Offered > 0 && c.Good() < 0.99 {
				wrong.add("%s: %.1f %% of %d good with every router restarted", name, 100*c.Good(), c.Offered)
			}
		}
		if rollback := p.phase(t, "rollback").Journeys["card_tap"]; rollback.Good() > 0.1 {
			wrong.add("rollback: %.1f %% of card taps good; without darkness there is nothing to recover from", 100*rollback.Good())
		}
		return p.Valid, wrong
	})
}

// TestWithoutDarkness: routers that hear of a deploy are not hurt by it.
func TestWithoutDarkness(t *testing.T) {
	further(t)
	credible(t, func(bool) (valid bool, wrong findings) {
		p := play(t, "--without", "dark")
		for _, name := range []string{"deploy", "rollback"} {
			var all result.Counts
			for _, j := range p.phase(t, name).Journeys {
				all = all.Plus(j.Counts)
			}
			if all.Offered < 100 || all.Good() < 0.999 {
				wrong.add("%s: %.2f %% of %d journeys good, must be ≥ 99.9 %%", name, 100*all.Good(), all.Offered)
			}
		}
		return p.Valid, wrong
	})
}

// TestTheFixedParser: with linkerd-2018 the empty Service poisons nothing, so
// there is no total outage.
func TestTheFixedParser(t *testing.T) {
	further(t)
	credible(t, func(bool) (valid bool, wrong findings) {
		p := play(t, "--arm", "linkerd-2018")
		if p.Impact.FullOutageS > 0 {
			wrong.add("%.1f s of total outage", p.Impact.FullOutageS)
		}
		outage := p.phase(t, "total_outage")
		for name, c := range p.since(outage.FromS+2.5, outage) {
			if c.Offered > 0 && c.Good() < 0.99 {
				wrong.add("%s: %.1f %% of %d good after the last restart", name, 100*c.Good(), c.Offered)
			}
		}
		if deploy := p.phase(t, "rollback").Journeys["card_tap"]; deploy.Good() > 0.1 {
			wrong.add("rollback: %.1f %% of card taps good; the darkness did not take place", 100*deploy.Good())
		}
		return p.Valid, wrong
	})
}

// TestGuardedComesThroughUnharmed: the same script does nothing to our arm.
func TestGuardedComesThroughUnharmed(t *testing.T) {
	credible(t, func(again bool) (valid bool, wrong findings) {
		p := inOneProcess(t, "guarded", again)
		for _, ph := range p.Phases {
			for name, j := range ph.Journeys {
				if j.Failed != 0 || j.Unknown != 0 {
					wrong.add("%s, %s: %d failed, %d unknown of %d", ph.Name, name, j.Failed, j.Unknown, j.Offered)
				}
				if j.Offered > 0 && j.Good() < 0.99 {
					wrong.add("%s, %s: %.2f %% of %d good, %d degraded", ph.Name, name, 100*j.Good(), j.Offered, j.Degraded)
				}
			}
		}
		if n := etcdReads(p, "baseline"); n != 0 {
			wrong.add("%d direct reads of etcd in baseline, where no source was in doubt", n)
		}
		return p.Valid, wrong
	})
}

// etcdReads counts direct reads of etcd by routers during a phase.
func etcdReads(p played, phase string) (n int64) {
	before := map[string]int64{}
	for _, second := range p.Series {
		for _, r := range second.Routers {
			was, known := before[r.Node]
			if second.Phase == phase && known {
				n += max(0, r.EtcdReads-was)
			}
			before[r.Node] = r.EtcdReads
		}
	}
	return n
}
