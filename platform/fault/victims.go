package fault

import (
	"context"

	"breakbank/platform/registry"
)

// Victims is what faults act on, and where their proof comes from. It is safe
// for concurrent use.
type Victims interface {
	ProcessVictims

	// Links are the links that can be broken, by name, such as
	// apiserver-a/etcd/endpoints.
	Links() map[string]Link

	Instances() []string
	// InstanceAddress is where an instance that runs is reached (host:port).
	// It is not known any more once the instance has ended.
	InstanceAddress(name string) (address string, known bool)
	// KillInstance ends an instance as a crash would.
	KillInstance(ctx context.Context, name string) error

	// Routers names the nodes, each of which has one router.
	Routers() []string
	// RestartRouter does not wait until the router is ready again.
	RestartRouter(ctx context.Context, node string) error
	// RouterRuns says whether a node's router runs.
	RouterRuns(node string) bool
	// RouterIncarnation grows when a node's router dies or another one has
	// taken over from it, and not when somebody merely asks for that.
	RouterIncarnation(node string) int64

	APIServers() []string
	RestartAPIServer(ctx context.Context, name string) error
	// APIServerIncarnation grows with each restart.
	APIServerIncarnation(name string) int64
	// APIServerRevision is how far the API server's cache of a kind has got.
	APIServerRevision(apiserver, resource string) int64

	// Members names the etcd members, stopped ones included.
	Members() []string
	StopMember(ctx context.Context, name string) error
	StartMember(ctx context.Context, name string) error
	// RegistryServes says whether a linearizable read succeeds before ctx
	// ends.
	RegistryServes(ctx context.Context) bool
	// Store is where records of endpoints are broken.
	Store() *registry.Store
}
