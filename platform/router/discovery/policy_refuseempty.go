package discovery

// refuseEmpty never replaces a working set by an empty one. The price is a
// service scaled to zero on purpose: its last addresses stay and are unreachable
// one by one.
type refuseEmpty struct{}

func (refuseEmpty) Name() string  { return "refuse-empty" }
func (refuseEmpty) About() string { return "never replace a working set by an empty one" }

func (refuseEmpty) Veto(old, changed Entry) string {
	if len(old.Endpoints) > 0 && len(changed.Endpoints) == 0 {
		return "it would be empty"
	}
	return ""
}
