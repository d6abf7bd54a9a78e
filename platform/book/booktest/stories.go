package booktest

import (
	"testing"

	"breakbank/platform/book"
	bookv1 "breakbank/proto/book/v1"
)

// step is an operation and what must become of it.
type step struct {
	op   *bookv1.Operation
	want bookv1.Refusal
}

// story is a sequence of operations on the accounts a and b, opened with 100
// each, and what a must come to: balance, held money, and what the last entry
// says of an advice.
type story struct {
	name          string
	steps         []step
	balance, held int64
	overspend     int64
	wrong         bool
}

// stories are the life of money in the book. Where two messages can overtake
// each other, both orders are here.
func stories() []story {
	freeze := Op("freeze", SetState, "a", "", 0, "")
	freeze.State = book.StateFrozen
	thaw := Op("thaw", SetState, "a", "", 0, "")
	thaw.State = book.StateActive
	return []story{
		{name: "post", steps: []step{{Op("1", Post, "a", "b", 100, ""), Done}}, balance: 0},
		{name: "post too much", steps: []step{{Op("1", Post, "a", "b", 101, ""), Insufficient}}, balance: 100},
		{name: "post from nowhere", steps: []step{{Op("1", Post, "x", "a", 1, ""), NoAccount}}, balance: 100},
		{name: "post to nowhere", steps: []step{{Op("1", Post, "a", "x", 1, ""), NoAccount}}, balance: 100},
		{name: "the bank has no limit", steps: []step{{Op("1", Post, "bank:fps", "a", 5000, ""), Done}}, balance: 5100},

		{name: "hold and capture", steps: []step{
			{Op("h", Place, "a", "", 40, ""), Done}, {Op("c", Capture, "", "bank:scheme", 0, "h"), Done},
		}, balance: 60},
		{name: "held money cannot be spent", steps: []step{
			{Op("h", Place, "a", "", 40, ""), Done},
			{Op("1", Post, "a", "b", 61, ""), Insufficient},
			{Op("2", Post, "a", "b", 60, ""), Done},
		}, balance: 40, held: 40},
		{name: "hold too much", steps: []step{{Op("h", Place, "a", "", 101, ""), Insufficient}}, balance: 100},
		{name: "hold from nowhere", steps: []step{{Op("h", Place, "x", "", 1, ""), NoAccount}}, balance: 100},
		{name: "capture twice", steps: []step{
			{Op("h", Place, "a", "", 40, ""), Done},
			{Op("c", Capture, "", "bank:scheme", 40, "h"), Done},
			{Op("d", Capture, "", "bank:scheme", 40, "h"), NoHold},
		}, balance: 60},
		{name: "capture what is not held", steps: []step{{Op("c", Capture, "", "bank:scheme", 0, "h"), NoHold}}, balance: 100},
		{name: "capture to nowhere", steps: []step{
			{Op("h", Place, "a", "", 40, ""), Done}, {Op("c", Capture, "", "x", 0, "h"), NoAccount},
		}, balance: 100, held: 40},

		{name: "hold then release", steps: []step{
			{Op("h", Place, "a", "", 40, ""), Done},
			{Op("r", Release, "a", "", 0, "h"), Done},
			{Op("c", Capture, "", "bank:scheme", 0, "h"), Released},
		}, balance: 100},
		{name: "release then hold", steps: []step{
			{Op("r", Release, "a", "", 0, "h"), Done}, {Op("h", Place, "a", "", 40, ""), Released},
		}, balance: 100},
		{name: "release twice", steps: []step{
			{Op("h", Place, "a", "", 40, ""), Done}, {Op("r", Release, "a", "", 0, "h"), Done}, {Op("s", Release, "a", "", 0, "h"), Done},
		}, balance: 100},
		{name: "release after capture", steps: []step{
			{Op("h", Place, "a", "", 40, ""), Done},
			{Op("c", Capture, "", "bank:scheme", 0, "h"), Done},
			{Op("r", Release, "a", "", 0, "h"), NoHold},
		}, balance: 60},

		{name: "a frozen account", steps: []step{
			{freeze, Done},
			{Op("1", Post, "a", "b", 1, ""), Frozen},
			{Op("h", Place, "a", "", 1, ""), Frozen},
			{Op("2", Post, "b", "a", 10, ""), Done},
		}, balance: 110},
		{name: "frozen for a while", steps: []step{{freeze, Done}, {thaw, Done}, {Op("1", Post, "a", "b", 1, ""), Done}}, balance: 99},
		{name: "frozen after the hold", steps: []step{
			{Op("h", Place, "a", "", 40, ""), Done}, {freeze, Done}, {Op("c", Capture, "", "bank:scheme", 0, "h"), Done},
		}, balance: 60},

		{name: "a right approval", steps: []step{{Decided("v", "a", 40, "", "00"), Done}}, balance: 100, held: 40},
		{name: "an approval beyond the balance", steps: []step{{Decided("v", "a", 130, "", "00"), Done}}, balance: 100, held: 130, overspend: 30, wrong: true},
		{name: "an overspend counts once", steps: []step{
			{Decided("v", "a", 130, "", "00"), Done}, {Decided("w", "a", 5, "", "00"), Done},
		}, balance: 100, held: 135, overspend: 5, wrong: true},
		{name: "an approval on a frozen account", steps: []step{{freeze, Done}, {Decided("v", "a", 40, "", "00"), Done}}, balance: 100, held: 40, wrong: true},
		{name: "an approval for nobody", steps: []step{{Decided("v", "x", 40, "", "00"), NoAccount}}, balance: 100, wrong: true},
		{name: "a right decline", steps: []step{{Decided("v", "a", 130, "", "51"), Done}}, balance: 100},
		{name: "a wrong decline", steps: []step{{Decided("v", "a", 40, "", "51"), Done}}, balance: 100, wrong: true},
		{name: "advice then release", steps: []step{
			{Decided("v", "a", 40, "h", "00"), Done}, {Op("r", Release, "a", "", 0, "h"), Done},
		}, balance: 100},
		{name: "release then advice", steps: []step{
			{Op("r", Release, "a", "", 0, "h"), Done}, {Decided("v", "a", 40, "h", "00"), Released},
		}, balance: 100},
		{name: "advice of what the book holds already", steps: []step{
			{Op("h", Place, "a", "", 40, ""), Done}, {Decided("v", "a", 40, "h", "00"), Done},
		}, balance: 100, held: 40},
		{name: "advice of another sum than the book holds", steps: []step{
			{Op("h", Place, "a", "", 40, ""), Done}, {Decided("v", "a", 25, "h", "00"), Done},
		}, balance: 100, held: 25},
		{name: "advice of what was captured", steps: []step{
			{Op("h", Place, "a", "", 40, ""), Done}, {Op("c", Capture, "", "bank:scheme", 0, "h"), Done}, {Decided("v", "a", 40, "h", "00"), Done},
		}, balance: 60},
		{name: "capture of an advice", steps: []step{
			{Decided("v", "a", 130, "", "00"), Done}, {Op("c", Capture, "", "bank:scheme", 0, "v"), Done},
		}, balance: -30},
	}
}

// testStories tells all stories in one store, each with accounts and keys of
// its own.
func testStories(t *testing.T, s book.Store) {
	for _, story := range stories() {
		t.Run(story.name, func(t *testing.T) {
			own := func(name string) string {
				if name == "" || book.IsBank(name) {
					return name
				}
				return story.name + "/" + name
			}
			open(t, s, own("a"), own("b"))
			var last book.Result
			for _, step := range story.steps {
				op := &bookv1.Operation{
					Key: own(step.op.GetKey()), Kind: step.op.GetKind(),
					DebitAccount: own(step.op.GetDebitAccount()), CreditAccount: own(step.op.GetCreditAccount()),
					AmountMinor: step.op.GetAmountMinor(), HoldKey: own(step.op.GetHoldKey()),
					State: step.op.GetState(), Decision: step.op.GetDecision(),
				}
				last = apply(t, s, op, step.want)
			}
			a, err := s.Account(t.Context(), own("a"))
			if err != nil {
				t.Fatal(err)
			}
			if a.GetBalanceMinor() != story.balance || a.GetHeldMinor() != story.held {
				t.Errorf("balance %d, held %d, want %d, %d", a.GetBalanceMinor(), a.GetHeldMinor(), story.balance, story.held)
			}
			entries, err := s.Entries(t.Context(), last.Sequence, 1)
			if err != nil || len(entries) != 1 {
				t.Fatalf("entry %d: %v, %v", last.Sequence, entries, err)
			}
			e := entries[0]
			if e.GetOverspendMinor() != story.overspend || e.GetWrongDecision() != story.wrong || e.GetRefusal() != last.Refusal {
				t.Errorf("entry %v, want overspend %d, wrong decision %v", e, story.overspend, story.wrong)
			}
		})
	}
	check(t, s)
}
