package cardnet

import "breakbank/services/bank"

// reply is what came of asking a processor: a response code or an error.
type reply struct {
	code string
	err  error
}

// verdict is what to do with a reply.
type verdict struct {
	// answer is the code for the card network, "" when the reply is none.
	answer string
	// reverse says that the processor may hold money for this payment that
	// the card network is not told about.
	reverse bool
	// late says that it does: an approval came, and nobody waits for it.
	late bool
	// askStandIn says that somebody else may still decide.
	askStandIn bool
}

// judgePrimary weighs the primary's reply. gone says that the card network no
// longer listens: an approval that it never hears must be undone.
func judgePrimary(r reply, gone bool) verdict {
	switch {
	case gone:
		return verdict{reverse: r.mayHold(), late: r.approved()}
	case r.err == nil && bank.Decided(r.code):
		return verdict{answer: r.code}
	case r.err != nil && hopeless(bank.KindOf(r.err)):
		return verdict{answer: bank.SystemError}
	default:
		return verdict{reverse: r.mayHold(), askStandIn: true}
	}
}

// judgeStandIn weighs stand-in's reply, the last there is.
func judgeStandIn(r reply, gone bool) verdict {
	switch {
	case gone:
		return verdict{reverse: r.mayHold(), late: r.approved()}
	case r.err == nil && bank.Decided(r.code):
		return verdict{answer: r.code}
	default:
		return verdict{answer: bank.IssuerInoperative, reverse: r.mayHold()}
	}
}

// mayHold says that the processor holds money, or may.
func (r reply) mayHold() bool {
	if r.err != nil {
		return bank.MayHaveHappened(r.err)
	}
	return r.approved()
}

func (r reply) approved() bool { return r.err == nil && r.code == bank.Approved }

// hopeless are the kinds of error that say the request itself is wrong, so
// that no other processor should be asked either.
func hopeless(kind bank.Kind) bool {
	return kind == bank.Invalid || kind == bank.Conflict || kind == bank.Forbidden
}
