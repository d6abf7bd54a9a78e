package discovery

// gossip asks other routers for a newer table while the source is in doubt
// (gossip.go). It needs a policy that doubts: heartbeat.
type gossip struct{}

func (gossip) Name() string { return "gossip" }
func (gossip) About() string {
	return "while the source is in doubt, other routers are asked for a newer table"
}
func (gossip) AsksPeers() bool { return true }
