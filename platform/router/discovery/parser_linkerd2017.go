package discovery

// linkerd2017 is the Endpoints parser of linkerd before 1.0.0: its `subsets`
// was a plain Seq, which Jackson leaves null when the JSON says null or
// nothing, and mapping over it throws.
//
// What a throwing record does is not decided here: a list that holds one is
// dropped whole, a watch drops that event (see follow.go).
var linkerd2017 = Parser{
	Name:  "linkerd-2017",
	About: "throws on subsets that are null or absent (linkerd#1219)",
	read: func(r record) (Entry, error) {
		if !r.hasSubsets {
			return Entry{}, ErrNullSubsets
		}
		return r.entry, nil
	},
}
