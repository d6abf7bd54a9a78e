package customers

import (
	"breakbank/loadgen"
	"breakbank/loadgen/transport"
)

// appRefresh loads the app's first screen: gateway, then balance and feed.
var appRefresh = loadgen.Step{Build: buildRefresh, Judge: judgeRefresh}

const appRefreshQuery = `query Refresh($id:ID!){account(customerId:$id){` +
	`balance{balanceMinor availableMinor} feed(limit:10){sequence at amountMinor reference kind}}}`

func buildRefresh(v *loadgen.Visit, c *transport.Call) error {
	customer, err := who(v)
	if err != nil {
		return err
	}
	callGraphQL(v, c, appendQueryByID(c.Buffer(), appRefreshQuery, customer.ID))
	return nil
}

func judgeRefresh(_ *loadgen.Visit, c *transport.Call) loadgen.Decision {
	reply, d, ok := readGraphQL(false, c)
	if !ok {
		return d
	}
	return judgeQuery(reply.Data.Account.complete(), reply.Errors)
}

// appendQueryByID appends the body of a query whose one variable is $id.
func appendQueryByID(b []byte, query, id string) []byte {
	b = append(b, `{"query":"`...)
	b = append(b, query...)
	b = append(b, `","variables":{"id":"`...)
	b = append(b, id...)
	return append(b, `"}}`...)
}
