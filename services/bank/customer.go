package bank

import (
	"fmt"
	"strconv"
	"strings"
)

// Customers is how many customers are seeded (incident.md, "The bank's
// numbers").
const Customers = 10_000

// Prefixes of the identifiers derived from a customer's index.
const (
	customerPrefix = "c"
	currentPrefix  = "acc-"
	prepaidPrefix  = "pre-"
	limitPrefix    = "card-"
	indexDigits    = 5
)

// States of an account or card as the book keeps them.
const (
	StateActive  = "active"
	StateFrozen  = "frozen"
	StateExpired = "expired"
)

// Customer is one seeded customer. All amounts are pence.
type Customer struct {
	ID             string
	Account        string // current account, store ledger
	PrepaidAccount string // store prepaid
	LimitAccount   string // what the card may still spend today, store cards
	CardNumber     string // current-account card
	PrepaidNumber  string // prepaid card

	OpeningMinor        int64
	PrepaidOpeningMinor int64
	DailyLimitMinor     int64

	CardState    string // state of the current-account card
	PrepaidState string // state of the prepaid account
}

// CustomerAt is the customer with index i, 0 ≤ i < Customers. It is a pure
// function of i: every process that asks sees the same bank.
func CustomerAt(i int) Customer {
	return Customer{
		ID:                  CustomerID(i),
		Account:             CurrentAccount(i),
		PrepaidAccount:      PrepaidAccount(i),
		LimitAccount:        LimitAccount(i),
		CardNumber:          CardNumber(i),
		PrepaidNumber:       PrepaidNumber(i),
		OpeningMinor:        openingMinor(i),
		PrepaidOpeningMinor: prepaidOpeningMinor(i),
		DailyLimitMinor:     dailyLimitMinor(i),
		CardState:           cardState(i),
		PrepaidState:        prepaidState(i),
	}
}

// CustomerID is the identifier of customer i, such as "c00042".
func CustomerID(i int) string { return identifier(customerPrefix, i) }

// CurrentAccount is the account of customer i in store ledger.
func CurrentAccount(i int) string { return identifier(currentPrefix, i) }

// PrepaidAccount is the account of customer i in store prepaid.
func PrepaidAccount(i int) string { return identifier(prepaidPrefix, i) }

// LimitAccount is the limit account of customer i's card in store cards.
func LimitAccount(i int) string { return identifier(limitPrefix, i) }

// CustomerIndex is the index behind a customer's identifier; the error is of
// kind NotFound. An index outside the seeded ones is refused too.
func CustomerIndex(id string) (int, error) {
	return index("customer", customerPrefix, id)
}

// AccountIndex is the index behind a current account; the error is of kind
// NotFound.
func AccountIndex(account string) (int, error) {
	return index("account", currentPrefix, account)
}

func identifier(prefix string, i int) string {
	return fmt.Sprintf("%s%0*d", prefix, indexDigits, i)
}

func index(what, prefix, id string) (int, error) {
	digits, ok := strings.CutPrefix(id, prefix)
	if ok && len(digits) == indexDigits {
		if i, err := strconv.ParseUint(digits, 10, 32); err == nil && i < Customers {
			return int(i), nil
		}
	}
	return 0, Errorf(NotFound, "no such %s: %q", what, id)
}
