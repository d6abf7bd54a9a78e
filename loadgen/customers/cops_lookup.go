package customers

import (
	"breakbank/loadgen"
	"breakbank/loadgen/transport"
)

// copsLookup is customer operations looking a customer up: gateway, then
// balance, feed and cardauth.
var copsLookup = loadgen.Step{
	Build: func(v *loadgen.Visit, c *transport.Call) error {
		customer, err := who(v)
		if err != nil {
			return err
		}
		callGraphQL(v, c, appendQueryByID(c.Buffer(), copsLookupQuery, customer.ID))
		return nil
	},
	Judge: func(_ *loadgen.Visit, c *transport.Call) loadgen.Decision {
		reply, d, ok := readGraphQL(false, c)
		if !ok {
			return d
		}
		return judgeQuery(reply.Data.Customer.complete(), reply.Errors)
	},
}

const copsLookupQuery = `query LookUp($id:ID!){customer(id:$id){id ` +
	`balance{balanceMinor availableMinor} feed(limit:10){sequence at amountMinor reference kind} ` +
	`card{numberMasked state dailyLimitRemainingMinor}}}`
