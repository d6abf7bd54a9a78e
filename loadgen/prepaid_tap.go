package loadgen

import "context"

// performPrepaidTap pays with a prepaid card: cardnet, prepaid.
func performPrepaidTap(ctx context.Context, e *edges, v *visit) Decision {
	return v.tap(ctx, e, v.customer.PrepaidNumber)
}
