package discovery

import (
	"context"
	"errors"
)

// Primary makes a source that is otherwise the last resort the one to read: it
// is for a router that has no other.
func Primary(s Source) Source { return primary{s} }

type primary struct{ Source }

// Zones is that of the source, if it can say.
func (p primary) Zones(ctx context.Context) (map[string]string, error) {
	if l, ok := p.Source.(locator); ok {
		return l.Zones(ctx)
	}
	return nil, errNoZones
}

// errNoZones is what comes of asking a source where nodes are that knows of
// none.
var errNoZones = errors.New("this source does not say where nodes are")

// Info names the source, and no longer marks it Direct.
func (p primary) Info() SourceInfo {
	info := p.Source.Info()
	info.Direct = false
	return info
}
