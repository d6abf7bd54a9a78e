package customers

import (
	"slices"
	"time"

	"breakbank/loadgen"
)

// The journeys of the bank's customers, as indices into Journeys.
const (
	CardTap     loadgen.Journey = iota // a payment with a current-account card
	PrepaidTap                         // a payment with a prepaid card
	TransferOut                        // money sent from the app
	TransferIn                         // money received over Faster Payments
	AppRefresh                         // the app's first screen: balance and feed
	CopsLookup                         // staff look a customer up
	PaySession                         // a look at the balance, a payment, another look

	// JourneyCount is how many journeys there are.
	JourneyCount = int(iota)
)

// Patience is how long each kind of client waits, counted from the intended
// time of the request (incident.md, "The bank's numbers").
const (
	cardNetworkPatience    = 5 * time.Second
	fasterPaymentsPatience = 15 * time.Second
	phonePatience          = 10 * time.Second
	staffPatience          = 10 * time.Second
)

// Journeys is the table of journeys. The weights are the default load mix of
// incident.md, in percent; pay_session has none there and must be asked for
// (WithMix).
var Journeys = [JourneyCount]loadgen.JourneySpec{
	CardTap:     {Name: "card_tap", Weight: 35, Patience: cardNetworkPatience, Write: true, Steps: []loadgen.Step{cardTap}, Key: cardKey},
	PrepaidTap:  {Name: "prepaid_tap", Weight: 10, Patience: cardNetworkPatience, Write: true, Steps: []loadgen.Step{prepaidTap}, Key: cardKey},
	TransferOut: {Name: "transfer_out", Weight: 7, Patience: phonePatience, Write: true, Steps: []loadgen.Step{transferOut}, Key: outKey},
	TransferIn:  {Name: "transfer_in", Weight: 8, Patience: fasterPaymentsPatience, Write: true, Steps: []loadgen.Step{transferIn}, Key: inKey},
	AppRefresh:  {Name: "app_refresh", Weight: 38, Patience: phonePatience, Steps: []loadgen.Step{appRefresh}},
	CopsLookup:  {Name: "cops_lookup", Weight: 2, Patience: staffPatience, Steps: []loadgen.Step{copsLookup}},
	PaySession:  {Name: "pay_session", Weight: 0, Patience: phonePatience, Write: true, Steps: paySession, Key: outKey},
}

// Table is a copy of Journeys, for a plan to change.
func Table() []loadgen.JourneySpec { return slices.Clone(Journeys[:]) }

// Mix is the weight of each journey in a load; only the ratios count.
type Mix [JourneyCount]int

// DefaultMix is the load mix of incident.md.
func DefaultMix() Mix {
	var m Mix
	for j := range Journeys {
		m[j] = Journeys[j].Weight
	}
	return m
}

// Only is a mix of one journey.
func Only(j loadgen.Journey) Mix {
	var m Mix
	m[j] = 1
	return m
}

// WithMix is a copy of the table with other weights.
func WithMix(m Mix) []loadgen.JourneySpec {
	table := Table()
	for j := range table {
		table[j].Weight = m[j]
	}
	return table
}
