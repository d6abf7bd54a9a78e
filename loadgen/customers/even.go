package customers

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"breakbank/loadgen"
	"breakbank/loadgen/draw"
)

// Even is a population of whom all are equally likely to do something, and know
// nothing of each other.
type Even struct{ Customers []Customer }

// Customer implements Population.
func (e Even) Customer(i int) *Customer { return &e.Customers[i] }

// Check implements loadgen.Population.
func (e Even) Check() error { return checkCustomers(e.Customers) }

func checkCustomers(customers []Customer) error {
	if len(customers) == 0 {
		return errors.New("the plan has no customers")
	}
	for i := range customers {
		if id := customers[i].ID; strings.ContainsFunc(id, needsEscape) {
			return fmt.Errorf("customer %d has the id %q, which JSON would have to escape", i, id)
		}
	}
	return nil
}

// needsEscape says whether JSON has a character escaped in a string; requests
// are written by hand.
func needsEscape(r rune) bool { return r < ' ' || r == '"' || r == '\\' }

// AppendIdentity implements loadgen.Population.
func (e Even) AppendIdentity(buf []byte) []byte { return appendCustomers(buf, e.Customers) }

func appendCustomers(buf []byte, customers []Customer) []byte {
	buf = binary.BigEndian.AppendUint64(buf, uint64(len(customers)))
	for i := range customers {
		c := &customers[i]
		for _, text := range [...]string{c.ID, c.Account, c.CardNumber, c.PrepaidNumber} {
			buf = loadgen.AppendText(buf, text)
		}
	}
	return buf
}

// Drawer implements loadgen.Population.
func (e Even) Drawer(of func(purpose string) draw.Stream) loadgen.Drawer {
	return &evenDrawer{payments: paymentsOf(of), customers: of("customers"), n: uint64(len(e.Customers))}
}

type evenDrawer struct {
	payments
	customers draw.Stream
	n         uint64
}

func (d *evenDrawer) Draw(a *loadgen.Arrival) {
	a.Customer = int32(d.customers.Below(d.n))
	d.fill(a)
}

// After: nothing leads to anything.
func (d *evenDrawer) After(*loadgen.Arrival) []loadgen.Arrival { return nil }

// payments draws how much, and from or to whom. Each arrival takes from both
// streams, whatever its journey.
type payments struct{ amounts, counterparties draw.Stream }

func paymentsOf(of func(purpose string) draw.Stream) payments {
	return payments{amounts: of("amounts"), counterparties: of("counterparties")}
}

func (p *payments) fill(a *loadgen.Arrival) {
	a.Counterparty = uint16(p.counterparties.Below(counterparties))
	if amount := amountMinor(p.amounts); Journeys[a.Journey].Write {
		a.AmountMinor = amount
	}
}
