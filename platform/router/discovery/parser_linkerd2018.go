package discovery

import "encoding/json"

// linkerd2018 is the parser after the fix (linkerd#1223): `subsets` became an
// Option, and none means no addresses.
var linkerd2018 = Parser{
	Name:  "linkerd-2018",
	About: "reads subsets that are null or absent as no addresses (linkerd#1223)",
	Parse: func(record json.RawMessage) (Entry, error) {
		r, err := parseRecord(record)
		if err != nil {
			return Entry{}, err
		}
		return r.entry()
	},
}
