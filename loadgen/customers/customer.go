package customers

import (
	"fmt"

	"breakbank/loadgen"
)

// Customer is what a client knows of itself. Index i in a population enters the
// bank at zone i modulo the number of zones, and nowhere else.
type Customer struct {
	ID            string // as the app and staff know it
	Account       string // the current account
	CardNumber    string // of the current account
	PrepaidNumber string // of the prepaid card
}

// Population is who makes the arrivals of a load on the bank: the steps of its
// journeys ask for the customer of each.
type Population interface {
	loadgen.Population
	// Customer is the customer with an index; it must not be changed.
	Customer(i int) *Customer
}

// who is the customer of a visit.
func who(v *loadgen.Visit) (*Customer, error) {
	population, ok := v.Schedule.Population.(Population)
	if !ok {
		return nil, fmt.Errorf("%s needs customers of a bank, not %T", v.Spec.Name, v.Schedule.Population)
	}
	return population.Customer(int(v.Arrival.Customer)), nil
}
