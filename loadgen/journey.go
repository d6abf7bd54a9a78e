package loadgen

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Journey is a kind of thing a customer does, an index into Journeys.
type Journey uint8

// The journeys of the bank's customers.
const (
	CardTap     Journey = iota // a payment with a current-account card
	PrepaidTap                 // a payment with a prepaid card
	TransferOut                // money sent from the app
	TransferIn                 // money received over Faster Payments
	AppRefresh                 // the app's first screen: balance and feed
	CopsLookup                 // staff look a customer up

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

	longestPatience = fasterPaymentsPatience
)

// JourneySpec is a row of the table of journeys.
type JourneySpec struct {
	// Name is the journey's name in every result.
	Name string
	// SharePercent is its share of the default mix.
	SharePercent int
	// Patience counts from the intended time.
	Patience time.Duration
	// Write says that the journey moves money: out of patience, its outcome is
	// unknown; a read's is failed.
	Write bool

	// perform builds the request, sends it and classifies what came back. It
	// returns by ctx's deadline.
	perform func(ctx context.Context, e *edges, v *visit) Decision
}

// Journeys is the table of journeys, indexed by Journey. The shares are the
// default load mix of incident.md.
var Journeys = [JourneyCount]JourneySpec{
	CardTap:     {Name: "card_tap", SharePercent: 35, Patience: cardNetworkPatience, Write: true, perform: performCardTap},
	PrepaidTap:  {Name: "prepaid_tap", SharePercent: 10, Patience: cardNetworkPatience, Write: true, perform: performPrepaidTap},
	TransferOut: {Name: "transfer_out", SharePercent: 7, Patience: phonePatience, Write: true, perform: performTransferOut},
	TransferIn:  {Name: "transfer_in", SharePercent: 8, Patience: fasterPaymentsPatience, Write: true, perform: performTransferIn},
	AppRefresh:  {Name: "app_refresh", SharePercent: 38, Patience: phonePatience, perform: performAppRefresh},
	CopsLookup:  {Name: "cops_lookup", SharePercent: 2, Patience: staffPatience, perform: performCopsLookup},
}

// String is the journey's name.
func (j Journey) String() string {
	if int(j) >= JourneyCount {
		return fmt.Sprintf("Journey(%d)", uint8(j))
	}
	return Journeys[j].Name
}

// ParseJourney is the inverse of String.
func ParseJourney(name string) (Journey, error) {
	names := make([]string, 0, JourneyCount)
	for i, spec := range Journeys {
		if spec.Name == name {
			return Journey(i), nil
		}
		names = append(names, spec.Name)
	}
	return 0, fmt.Errorf("no journey %q; the journeys are %s", name, strings.Join(names, ", "))
}

// MarshalText writes the journey's name.
func (j Journey) MarshalText() ([]byte, error) {
	if int(j) >= JourneyCount {
		return nil, fmt.Errorf("%v is not in the table of journeys", j)
	}
	return []byte(Journeys[j].Name), nil
}

// UnmarshalText reads a journey's name.
func (j *Journey) UnmarshalText(text []byte) error {
	parsed, err := ParseJourney(string(text))
	if err != nil {
		return err
	}
	*j = parsed
	return nil
}

// Mix is the weight of each journey in a load; only the ratios count.
type Mix [JourneyCount]int

// DefaultMix is the load mix of incident.md.
func DefaultMix() Mix {
	var m Mix
	for i, spec := range Journeys {
		m[i] = spec.SharePercent
	}
	return m
}

// Only is a mix of one journey.
func Only(j Journey) Mix {
	var m Mix
	m[j] = 1
	return m
}
