package discovery

// identity drops an address behind which someone else was found. The router
// says in each request which instance it means, and a server that is another
// turns the request away (platform/rpc); the address stays out until its record changes.
type identity struct{}

func (identity) Name() string { return "identity" }
func (identity) About() string {
	return "an instance that is not who the table says turns requests away, and its address is dropped"
}

func (identity) Drops(e Evidence) bool { return e.Kind == Misdelivered }
