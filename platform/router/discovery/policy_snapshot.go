package discovery

import "time"

// snapshotEvery bounds how often the table is written: a rollout is a burst
// of changes, and one write after it is as good as ten during it.
const snapshotEvery = time.Second

// snapshotPolicy keeps the last good table on disk with its revision and the
// time, and serves from it at once on a cold start, while a source is found.
type snapshotPolicy struct{}

func (snapshotPolicy) Name() string                 { return "snapshot" }
func (snapshotPolicy) About() string                { return "last good table on disk, used on a cold start" }
func (snapshotPolicy) SnapshotEvery() time.Duration { return snapshotEvery }
