package customers

import "strconv"

// counterparties is how many shops, payees and senders there are.
const counterparties = 1000

// trades are the shops of the bank's customers.
var trades = [...]string{"Coffee", "Groceries", "Bakery", "Trains", "Pub", "Pharmacy", "Books", "Bikes"}

// merchant is the name of a shop.
func merchant(n uint16) string {
	return trades[int(n)%len(trades)] + " No. " + strconv.Itoa(int(n))
}

// payee is the account, at another bank, that a transfer goes to. No bank has a
// sort code in 00-00.
func payee(n uint16) (sortCode, accountNumber string) {
	return "000001", strconv.Itoa(60_000_000 + int(n))
}

// sender is what an inbound payment says of where it comes from.
func sender(n uint16) string {
	return "From 00-00-02 " + strconv.Itoa(70_000_000+int(n))
}
