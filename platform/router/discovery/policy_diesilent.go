package discovery

// dieSilent never opens a watch again that has ended. So etcd's own naming
// resolver does it (go.etcd.io/etcd/client/v3/naming/endpoints, watch: it
// returns on an error, and nobody calls it again): what was known stays,
// nothing new is ever heard, and nothing says so but a line in a log.
type dieSilent struct{}

func (dieSilent) Name() string           { return "die-silent" }
func (dieSilent) About() string          { return "a watch error ends updates for good" }
func (dieSilent) EndsOnWatchError() bool { return true }
