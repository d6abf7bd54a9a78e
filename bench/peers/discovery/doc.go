// Package discovery measures how soon routers use what the registry knows, next
// to what a user would pick instead: client-go's shared informer, on which most
// Kubernetes software rests.
//
//	child process                          this process
//	┌──────────────────────────────┐      ┌──────────────────────────────┐
//	│ writer ─▶ etcd ×3            │      │ N followers of one kind:     │
//	│             └▶ API server ×3 ├─────▶│ routers' discovery, guarded  │
//	│                              │      │ or accept-all; or informers  │
//	└──────────────────────────────┘      └──────────────────────────────┘
//
// In each block every kind of follower is measured once, in random order, alone:
// two kinds at once would take each other's processor time. All follow the same
// API servers over the same table. What counts is the time from a change's
// commit in etcd until the last follower of all uses it.
package discovery
