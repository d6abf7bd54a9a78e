package gateway

import (
	"strings"
	"time"

	bankv1 "breakbank/proto/bank/v1"
	"breakbank/services/bank"
	"breakbank/services/gateway/graph"
)

var cardStates = map[bankv1.CardState]graph.CardState{
	bankv1.CardState_CARD_STATE_ACTIVE:  graph.CardStateActive,
	bankv1.CardState_CARD_STATE_FROZEN:  graph.CardStateFrozen,
	bankv1.CardState_CARD_STATE_EXPIRED: graph.CardStateExpired,
}

func balanceView(b *bankv1.GetBalanceResponse) *graph.Balance {
	return &graph.Balance{BalanceMinor: b.GetBalanceMinor(), AvailableMinor: b.GetAvailableMinor()}
}

// feedView is never nil: an account without entries has an empty feed.
func feedView(entries []*bankv1.FeedEntry) []*graph.FeedEntry {
	view := make([]*graph.FeedEntry, len(entries))
	for i, e := range entries {
		view[i] = &graph.FeedEntry{
			Sequence:    e.GetSequence(),
			At:          e.GetAt().AsTime().UTC().Format(time.RFC3339Nano),
			AmountMinor: e.GetAmountMinor(),
			Reference:   e.GetReference(),
			Kind:        e.GetKind(),
		}
	}
	return view
}

func cardView(c *bankv1.GetCardResponse) (*graph.Card, error) {
	state, ok := cardStates[c.GetState()]
	if !ok {
		return nil, bank.Errorf(bank.Internal, "the card has state %v, which the schema does not know", c.GetState())
	}
	return &graph.Card{
		NumberMasked:             bank.MaskCard(c.GetCardNumber()),
		State:                    state,
		DailyLimitRemainingMinor: c.GetDailyLimitRemainingMinor(),
	}, nil
}

func paymentView(refusal bankv1.Refusal) *graph.Payment {
	if refusal == bankv1.Refusal_REFUSAL_UNSPECIFIED {
		return &graph.Payment{Status: graph.PaymentStatusAccepted}
	}
	reason := strings.TrimPrefix(refusal.String(), "REFUSAL_")
	return &graph.Payment{Status: graph.PaymentStatusDeclined, DeclineReason: &reason}
}
