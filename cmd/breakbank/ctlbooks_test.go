package main

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	adminv1 "breakbank/proto/admin/v1"
)

// booksOf is a platform that says this of its books.
func booksOf(t *testing.T, checked *adminv1.CheckBooksResponse, err error) string {
	t.Helper()
	return startFakeStack(t, &fakeStack{books: checked, err: err}).address
}

func (s *fakeStack) CheckBooks(context.Context, *adminv1.CheckBooksRequest) (*adminv1.CheckBooksResponse, error) {
	return s.books, s.err
}

func TestCtlChecksTheBooks(t *testing.T) {
	good := &adminv1.CheckBooksResponse{Stores: []*adminv1.StoreCheck{
		{Store: "ledger", Entries: 12345, Accounts: 10003}, {Store: "prepaid", Entries: 7, Accounts: 2},
	}}
	bad := &adminv1.CheckBooksResponse{Stores: []*adminv1.StoreCheck{
		{Store: "ledger", Entries: 12345, Accounts: 10003},
		{Store: "prepaid", Entries: 7, Accounts: 2, Faults: []string{"entry 5 comes after entry 3", "and 3 more"}},
	}}
	for name, c := range map[string]struct {
		checked *adminv1.CheckBooksResponse
		err     error
		code    int
		out     []string
		says    string // in the one line about what is wrong
	}{
		"they balance": {good, nil, exitOK, []string{
			"STORE    ENTRIES  ACCOUNTS  VERDICT\n", "ledger   12345    10003     balances\n", "prepaid  7        2         balances\n",
		}, ""},
		"one does not": {bad, nil, exitFailed, []string{
			"ledger   12345    10003     balances\n", "prepaid  7        2         does not balance\n",
			"prepaid: entry 5 comes after entry 3\nprepaid: and 3 more\n",
		}, "the books do not balance: prepaid"},
		"there are none":      {&adminv1.CheckBooksResponse{}, nil, exitFailed, nil, "no store was checked"},
		"they cannot be read": {nil, status.Error(codes.Unavailable, "store ledger: no connection"), exitFailed, nil, "store ledger: no connection"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := command(t, "ctl", "--control", booksOf(t, c.checked, c.err), "books")
			if code != c.code || !strings.Contains(stderr, c.says) || strings.Count(stderr, "\n") != min(1, len(c.says)) {
				t.Errorf("exit code %d: %s%s", code, stdout, stderr)
			}
			for _, want := range c.out {
				if !strings.Contains(stdout, want) {
					t.Errorf("it does not show %q:\n%s", want, stdout)
				}
			}
		})
	}
}

func TestCtlChecksTheBooksForMachines(t *testing.T) {
	address := booksOf(t, &adminv1.CheckBooksResponse{Stores: []*adminv1.StoreCheck{
		{Store: "ledger", Entries: 12345, Accounts: 10003}, {Store: "prepaid", Faults: []string{"a fault"}},
	}}, nil)
	code, stdout, stderr := command(t, "ctl", "--control", address, "books", "--json")
	var all []storeBooks
	if err := json.Unmarshal([]byte(stdout), &all); err != nil || code != exitFailed || !strings.Contains(stderr, "prepaid") {
		t.Fatalf("exit code %d, %v: %s%s", code, err, stdout, stderr)
	}
	if len(all) != 2 || !all[0].Balances || all[0].Entries != 12345 || all[0].Accounts != 10003 || all[0].Faults == nil ||
		all[1].Balances || len(all[1].Faults) != 1 {
		t.Errorf("%+v", all)
	}
}
