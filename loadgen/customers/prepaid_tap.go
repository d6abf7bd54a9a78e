package customers

import (
	"breakbank/loadgen"
	"breakbank/loadgen/transport"
)

// prepaidTap pays with a prepaid card: cardnet, prepaid.
var prepaidTap = loadgen.Step{
	Build: func(v *loadgen.Visit, c *transport.Call) error {
		customer, err := who(v)
		if err != nil {
			return err
		}
		return buildTap(v, c, customer.PrepaidNumber)
	},
	Judge: judgeTap,
}
