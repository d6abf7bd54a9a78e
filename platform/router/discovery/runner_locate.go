package discovery

import (
	"context"
	"encoding/json"
	"fmt"

	"breakbank/platform/rawjson"
)

const (
	// nodes is the kind of record that says where nodes are, and zoneLabel the
	// label that does (kubernetes.io, Well-Known Labels).
	nodes     = "nodes"
	zoneLabel = "topology.kubernetes.io/zone"
	// fromCache is the version of a list that an API server answers from its
	// cache.
	fromCache = "0"
	// locateTimeout is longer than any API server takes to give up (10 s).
	locateTimeout = listTimeout
)

// locate carries out a Locate. The core has one under way at most.
func (r *Runner) locate(ctx context.Context, l Locate) {
	source := r.config.Sources[l.Source]
	r.reading.Go(func() {
		limited, cancel := context.WithTimeout(ctx, locateTimeout)
		defer cancel()
		where, ok := source.(locator)
		if !ok {
			r.report(ctx, Located{Err: fmt.Errorf("%s: %w", source.Info().Name, errNoZones)})
			return
		}
		zones, err := where.Zones(limited)
		if err != nil {
			err = fmt.Errorf("%s: %w", source.Info().Name, err)
		}
		r.report(ctx, Located{Zones: zones, Err: err})
	})
}

// zonesOf reads which zone each Node is in.
func zonesOf(items []json.RawMessage) (map[string]string, error) {
	byNode := make(map[string]string, min(len(items), maxNodes))
	for _, item := range items {
		name, zone, err := readNode(item)
		if err != nil {
			return nil, fmt.Errorf("read a node: %w", err)
		}
		byNode[name] = zone
	}
	return byNode, nil
}

func readNode(wire []byte) (node, zone string, err error) {
	s := rawjson.Scan(wire)
	err = s.Members(func(name []byte) error {
		if string(name) != "metadata" {
			return s.Skip()
		}
		return s.Members(func(name []byte) (err error) {
			var text []byte
			switch string(name) {
			case "name":
				text, err = s.Text()
				node = string(text)
			case "labels":
				err = s.Members(func(name []byte) error {
					if string(name) != zoneLabel {
						return s.Skip()
					}
					text, err := s.Text()
					zone = string(text)
					return err
				})
			default:
				err = s.Skip()
			}
			return err
		})
	})
	if err == nil {
		err = s.End()
	}
	return node, zone, err
}
