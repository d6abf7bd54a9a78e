package fault

import (
	"context"
	"time"
)

// LatencyMax bounds the delay of a link, and its jitter.
const LatencyMax = time.Minute

// Link is something that connections go through and that can be broken: a
// [Relay] in this process, or one in the process of another part. What is
// begun at a link lasts until it is cleared; several may last at once. It is
// safe for concurrent use.
type Link interface {
	// Name is unique in the platform, such as apiserver-a/etcd/endpoints.
	Name() string
	// Connections is the number of connections open through the link now.
	Connections() int
	// Blackhole makes the connections that are established now carry nothing
	// any more, in both directions: what comes is acknowledged and swallowed,
	// and nothing is closed. New connections work.
	Blackhole(ctx context.Context) (Hole, error)
	// Latency holds back everything that enters the link from now on, each way,
	// by delay plus a random part below jitter, drawn from the seed, the link,
	// the connection and the direction. Order is kept. One that begins later
	// takes its place.
	Latency(ctx context.Context, delay, jitter time.Duration, seed uint64) (Delay, error)
	// Reset resets (RST) the connections established now, at both ends, and
	// returns how many they were. New connections work.
	Reset(ctx context.Context) (int, error)
}

// Hole is the darkness of a link's connections, with its proof. Its counters
// neither wait nor ask the network. It is safe for concurrent use.
type Hole interface {
	// Clear resets the connections that went dark, because their streams have
	// holes, and leaves what else is wrong with the link.
	Clear(ctx context.Context) error
	// Swallowed is the number of bytes that vanished in them, both ways.
	Swallowed() int64
	// Connections is the number of connections that went dark.
	Connections() int
	// Established is the number of those whose two sockets the system called
	// ESTABLISHED at the moment when their first bytes vanished: it is what
	// tells darkness from a connection that is closed.
	Established() int64
}

// Delay is latency on a link, with its proof. Its counters neither wait nor ask
// the network. It is safe for concurrent use.
type Delay interface {
	// Clear ends it, and leaves what else is wrong with the link.
	Clear(ctx context.Context) error
	// Chunks is the number of reads that were held back.
	Chunks() int64
	// Held is by how much they were held back, added up.
	Held() time.Duration
}

// Remarker is a Hole or a Delay of which there may be more to say than its
// counters, such as that they were last seen before the link's process ended.
type Remarker interface {
	// Remark is a clause, empty when there is nothing to say.
	Remark() string
}

// remarkOn is what evidence ends with.
func remarkOn(counted any) string {
	if r, ok := counted.(Remarker); ok {
		if remark := r.Remark(); remark != "" {
			return "; " + remark
		}
	}
	return ""
}
