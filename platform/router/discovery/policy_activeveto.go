package discovery

// activeVeto lets health checks overrule removal, as Envoy does where a cluster
// has them ("Service discovery", On eventually consistent service discovery: an
// absent host whose check is passed is routed to, and one whose check fails is
// deleted). It holds for every removal, one address of a rolling update
// included, for as long as the instance answers.
type activeVeto struct{}

func (activeVeto) Name() string { return "active-veto" }
func (activeVeto) About() string {
	return "removed addresses stay while they answer health checks"
}
func (activeVeto) Keep(Change) string { return "health checks decide" }
func (activeVeto) Terms() Terms       { return Terms{Probed: true} }
