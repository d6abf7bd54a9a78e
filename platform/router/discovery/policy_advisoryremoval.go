package discovery

// advisoryRemoval takes a removal for advice: the address stays until the data
// plane finds that it takes no connection, or that someone else is there. It
// asks nobody, so an address that no request goes to stays for long.
type advisoryRemoval struct{}

func (advisoryRemoval) Name() string { return "advisory-removal" }
func (advisoryRemoval) About() string {
	return "removed addresses stay until the data plane finds nobody there"
}
func (advisoryRemoval) Keep(Change) string { return "a removal is advice" }
func (advisoryRemoval) Terms() Terms       { return Terms{} }
