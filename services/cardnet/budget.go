package cardnet

import "time"

// Time limits of an authorisation (incident.md, "The bank's numbers").
const (
	// patience is how long the card network waits for an answer.
	patience = 5 * time.Second
	// primaryBudget is what the primary gets; its deadline travels with the
	// call, so that the services behind it stop working on it too.
	primaryBudget = 1200 * time.Millisecond
	// standInBudget is what stand-in gets after that.
	standInBudget = 600 * time.Millisecond
)

// The two in a row must leave the card network time to hear the answer: this
// does not compile otherwise.
const _ = uint64(patience - primaryBudget - standInBudget)
