package bank

import bookv1 "breakbank/proto/book/v1"

// Stores of the book.
const (
	StoreLedger  = "ledger"
	StorePrepaid = "prepaid"
	StoreCards   = "cards"
)

// Stores lists every store of the book.
var Stores = []string{StoreLedger, StorePrepaid, StoreCards}

// Internal accounts, which may go below zero without limit.
const (
	AccountOpening = "bank:opening" // where seeded balances come from
	AccountScheme  = "bank:scheme"  // what the bank owes the card scheme
	AccountFPS     = "bank:fps"     // settlement with Faster Payments
)

// perMillion is the unit of the shares below.
const perMillion = 1_000_000

// Shares of the customers who are out of the ordinary, so that each business
// no occurs in any run: about 2 % nearly empty, 0.5 % frozen, 0.3 % expired
// and 2 % with a low limit.
const (
	emptyShare         = 20_000
	frozenShare        = 5_000
	expiredShare       = 3_000
	lowLimitShare      = 20_000
	prepaidFrozenShare = 2_000
)

const (
	emptyMinorMax      = 5_00
	dailyLimitDefault  = 1_000_00
	dailyLimitLow      = 40_00
	prepaidEmptyMinor  = 3_00
	prepaidOpeningUnit = 1_00
)

// Salts keep the properties of one customer independent of each other.
const (
	saltOpening uint64 = iota + 1
	saltEmpty
	saltState
	saltLimit
	saltPrepaidOpening
	saltPrepaidState
)

// quantile is a point of a distribution: share (per million) of the customers
// have less than minor.
type quantile struct{ share, minor int64 }

// openingQuantiles is the distribution of current-account balances: median
// £800 and a long tail. Integers, so that every machine draws the same penny.
var openingQuantiles = []quantile{
	{0, 20_00},
	{100_000, 180_00},
	{250_000, 420_00},
	{500_000, 800_00},
	{750_000, 1_900_00},
	{900_000, 4_200_00},
	{990_000, 15_000_00},
	{perMillion, 40_000_00},
}

// prepaidQuantiles is the distribution of prepaid balances: people top up tens
// or hundreds of pounds.
var prepaidQuantiles = []quantile{
	{0, prepaidEmptyMinor},
	{100_000, 60_00},
	{500_000, 200_00},
	{900_000, 500_00},
	{perMillion, 1_500_00},
}

// SeedOperations opens every customer's account in one store, in the order of
// the customers; nil for a store that is not ours. The same every time.
func SeedOperations(store string) []*bookv1.Operation {
	var open func(i int) (account string, openingMinor int64, state string)
	switch store {
	case StoreLedger:
		// The state that stops a payment is the card's: a frozen card must
		// not keep its account from being paid.
		open = func(i int) (string, int64, string) { return CurrentAccount(i), openingMinor(i), StateActive }
	case StorePrepaid:
		open = func(i int) (string, int64, string) {
			return PrepaidAccount(i), prepaidOpeningMinor(i), prepaidState(i)
		}
	case StoreCards:
		open = func(i int) (string, int64, string) { return LimitAccount(i), dailyLimitMinor(i), cardState(i) }
	default:
		return nil
	}
	operations := make([]*bookv1.Operation, Customers)
	for i := range operations {
		account, minor, state := open(i)
		operations[i] = &bookv1.Operation{
			Key:          OpenKey(account),
			Kind:         bookv1.OperationKind_OPERATION_KIND_OPEN,
			DebitAccount: account,
			AmountMinor:  minor,
			State:        state,
		}
	}
	return operations
}

func openingMinor(i int) int64 {
	if draw(i, saltEmpty)%perMillion < emptyShare {
		return int64(draw(i, saltOpening) % emptyMinorMax)
	}
	return at(openingQuantiles, int64(draw(i, saltOpening)%perMillion))
}

func prepaidOpeningMinor(i int) int64 {
	minor := at(prepaidQuantiles, int64(draw(i, saltPrepaidOpening)%perMillion))
	return minor / prepaidOpeningUnit * prepaidOpeningUnit
}

// dailyLimitMinor is nothing for an expired card: the book, which keeps that
// state for us and does not know what it means, then holds nothing either.
func dailyLimitMinor(i int) int64 {
	if cardState(i) == StateExpired {
		return 0
	}
	if draw(i, saltLimit)%perMillion < lowLimitShare {
		return dailyLimitLow
	}
	return dailyLimitDefault
}

func cardState(i int) string {
	switch d := draw(i, saltState) % perMillion; {
	case d < frozenShare:
		return StateFrozen
	case d < frozenShare+expiredShare:
		return StateExpired
	default:
		return StateActive
	}
}

func prepaidState(i int) string {
	if draw(i, saltPrepaidState)%perMillion < prepaidFrozenShare {
		return StateFrozen
	}
	return StateActive
}

// at interpolates between the two quantiles around share.
func at(quantiles []quantile, share int64) int64 {
	for n := 1; n < len(quantiles); n++ {
		low, high := quantiles[n-1], quantiles[n]
		if share <= high.share {
			return low.minor + (high.minor-low.minor)*(share-low.share)/(high.share-low.share)
		}
	}
	return quantiles[len(quantiles)-1].minor
}

// draw is a number that looks random and depends on i and salt alone:
// splitmix64 (Steele, Lea and Flood, 2014).
func draw(i int, salt uint64) uint64 {
	z := uint64(i)*0x9E3779B97F4A7C15 + salt*0xD1B54A32D192ED03
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}
