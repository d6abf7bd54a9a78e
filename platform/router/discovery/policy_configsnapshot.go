package discovery

// configSnapshot has no hook: the node agent acts on it, by starting the
// router from its last good configuration when the registry does not answer.
type configSnapshot struct{}

func (configSnapshot) Name() string { return "config-snapshot" }
func (configSnapshot) About() string {
	return "the node agent starts the router from its last good configuration"
}
