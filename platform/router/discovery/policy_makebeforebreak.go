package discovery

// makeBeforeBreak has no hook: the node agent acts on it, by starting the new
// router on the handed-over socket and draining the old one once it is ready.
type makeBeforeBreak struct{}

func (makeBeforeBreak) Name() string { return "make-before-break" }
func (makeBeforeBreak) About() string {
	return "a router is replaced by one that is ready, then drains"
}
