package fault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"breakbank/platform/registry"
)

const endpointsResource = "endpoints"

// endpointsListLimit bounds the look-up of what can be aimed at.
const endpointsListLimit = 2 * time.Second

// endpointsRecords names the Services that have a record of endpoints; none
// when the registry cannot be read, and so not be written either.
func endpointsRecords(v Victims) []string {
	ctx, cancel := context.WithTimeout(context.Background(), endpointsListLimit)
	defer cancel()
	raws, _, err := v.Store().ListRaw(ctx, endpointsResource, registry.ReadOptions{})
	if err != nil {
		return nil
	}
	names := make([]string, len(raws))
	for i, raw := range raws {
		names[i] = raw.Name
	}
	return names
}

// breakRecord gives a record of endpoints another "subsets", and leaves the
// rest as it lies in etcd.
func breakRecord(ctx context.Context, v Victims, name, subsets string) (Active, error) {
	good, err := v.Store().GetRaw(ctx, endpointsResource, name, registry.ReadOptions{})
	if err != nil {
		return nil, fmt.Errorf("read the endpoints of %s: %w", name, err)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(good.JSON, &fields); err != nil {
		return nil, fmt.Errorf("read the endpoints of %s: %w", name, err)
	}
	fields["subsets"] = json.RawMessage(subsets)
	bad, err := json.Marshal(fields)
	if err != nil {
		return nil, fmt.Errorf("break the endpoints of %s: %w", name, err)
	}
	revision, err := v.Store().PutRaw(ctx, endpointsResource, name, bad)
	if err != nil {
		return nil, fmt.Errorf("break the endpoints of %s: %w", name, err)
	}
	return &brokenRecord{victims: v, name: name, subsets: subsets, good: good.JSON, revision: revision}, nil
}

// brokenRecord is a record of endpoints in etcd that is not true.
type brokenRecord struct {
	victims       Victims
	name, subsets string
	good          []byte
	revision      int64
	end           atomic.Pointer[Proof] // as it stood at the end; nil while it lasts
}

// Clear puts the good record back, unless somebody has written another one
// since: that is newer knowledge than ours.
func (b *brokenRecord) Clear(ctx context.Context) error {
	now, err := b.victims.Store().GetRaw(ctx, endpointsResource, b.name, registry.ReadOptions{})
	if err != nil && !errors.Is(err, registry.ErrNotFound) {
		return fmt.Errorf("restore the endpoints of %s: %w", b.name, err)
	}
	// What API servers reach from here on may be what is true again.
	proof := b.look()
	end := ", held until it was cleared"
	switch {
	case err != nil:
		end = ", deleted before it was cleared"
	case now.Revision != b.revision:
		end = fmt.Sprintf(", overwritten at revision %d before it was cleared", now.Revision)
	default:
		if _, err := b.victims.Store().PutRaw(ctx, endpointsResource, b.name, b.good); err != nil {
			return fmt.Errorf("restore the endpoints of %s: %w", b.name, err)
		}
	}
	proof.Evidence += end
	b.end.Store(&proof)
	return nil
}

// Proof counts the API servers that the record has reached: those whose caches
// have got as far as the revision at which etcd took it.
func (b *brokenRecord) Proof() Proof {
	if end := b.end.Load(); end != nil {
		return *end
	}
	return b.look()
}

func (b *brokenRecord) look() Proof {
	servers := 0
	for _, name := range b.victims.APIServers() {
		if b.victims.APIServerRevision(name, endpointsResource) >= b.revision {
			servers++
		}
	}
	return Proof{
		Count: int64(servers),
		Evidence: fmt.Sprintf(`etcd took "subsets": %s for %s at revision %d, which %d API servers have reached`,
			b.subsets, b.name, b.revision, servers),
	}
}
