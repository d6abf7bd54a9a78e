package discovery

// quarantine sets a record aside that cannot be parsed: its last good value
// stays, everything else goes on. One bad record costs one service its
// freshness instead of costing all of them their names.
type quarantine struct{}

func (quarantine) Name() string { return "quarantine" }
func (quarantine) About() string {
	return "a bad record is set aside, its last good value stays, the rest goes on"
}
func (quarantine) SetsAside() bool { return true }
