package discovery

// keepLast holds on to the last table when a source fails. An old table is
// mostly right; no table is wholly wrong.
type keepLast struct{}

func (keepLast) Name() string            { return "keep-last" }
func (keepLast) About() string           { return "errors keep the last table" }
func (keepLast) KeepsTableOnError() bool { return true }
