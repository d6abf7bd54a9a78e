package registry

import (
	"fmt"
	"path/filepath"
)

// inThisProcess gives the i-th member a directory and addresses of its own.
func (cfg ClusterConfig) inThisProcess(i int) (Host, error) {
	place := MemberPlaces[i]
	seat := Seat{Name: place.Name, Zone: place.Zone}
	for _, addr := range []*string{&seat.ClientAddr, &seat.PeerAddr} {
		// etcd opens its listeners itself, from URLs.
		var err error
		if *addr, err = cfg.Address(); err != nil {
			return nil, fmt.Errorf("address: %w", err)
		}
	}
	return NewMember(MemberConfig{
		Seat: seat, Dir: filepath.Join(cfg.Dir, place.Name), Log: cfg.Log.With("member", place.Name),
	}), nil
}
