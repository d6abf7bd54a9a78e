// Package bank holds what the bank's services share: who the customers are and
// how their cards and accounts are numbered, the response codes of card
// payments, the kinds of error and the one place where they meet gRPC's codes,
// the keys under which operations lie in the book, and how money is written.
//
// It decides nothing and talks to nobody; a rule that only one service applies
// belongs to that service.
package bank
