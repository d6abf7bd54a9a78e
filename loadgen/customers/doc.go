// Package customers is the load of the bank's customers: their journeys over
// the edges, as the card network, the Faster Payments hub, phones and staff make
// them, and who the customers are.
//
//	Journeys    what: a table of loadgen.JourneySpec, its shares the default mix
//	Even        who: every customer as often as any other
//	People      who: some far more often, and phones that are looked at when
//	            they buzz
//	Day         when: busier at noon than at night
//	Retries     what they do when it fails
//	Targets     where: the edges, one of each a zone
package customers
