package loadgen

import "context"

// performAppRefresh loads the app's first screen: gateway, then balance and
// feed.
func performAppRefresh(ctx context.Context, e *edges, v *visit) Decision {
	d, ok := v.callGraphQL(ctx, e, queryByID(appRefreshQuery, v.customer.ID))
	if !ok {
		return d
	}
	reply, d, ok := parseReply(v.write, v.reply)
	if !ok {
		return d
	}
	return classifyQuery(reply.Data.Account.complete(), reply.Errors)
}

const appRefreshQuery = `query Refresh($id:ID!){account(customerId:$id){` +
	`balance{balanceMinor availableMinor} feed(limit:10){sequence at amountMinor reference kind}}}`

// queryByID is the body of a query whose one variable is $id.
func queryByID(query, id string) []byte {
	b := make([]byte, 0, len(query)+len(id)+40)
	b = append(b, `{"query":"`...)
	b = append(b, query...)
	b = append(b, `","variables":{"id":"`...)
	b = append(b, id...)
	return append(b, `"}}`...)
}
