package loadgen

import "context"

// performCopsLookup is customer operations looking a customer up: gateway, then
// balance, feed and cardauth.
func performCopsLookup(ctx context.Context, e *edges, v *visit) Decision {
	d, ok := v.callGraphQL(ctx, e, queryByID(copsLookupQuery, v.customer.ID))
	if !ok {
		return d
	}
	reply, d, ok := parseReply(v.write, v.reply)
	if !ok {
		return d
	}
	return classifyQuery(reply.Data.Customer.complete(), reply.Errors)
}

const copsLookupQuery = `query LookUp($id:ID!){customer(id:$id){id ` +
	`balance{balanceMinor availableMinor} feed(limit:10){sequence at amountMinor reference kind} ` +
	`card{numberMasked state dailyLimitRemainingMinor}}}`
