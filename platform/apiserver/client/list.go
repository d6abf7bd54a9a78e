package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"breakbank/platform/rawjson"
)

// pageItems is how many objects are asked for at once (client-go's pager,
// defaultPageSize 500). API servers may send more.
const pageItems = 500

// List is a set of objects as the API server sent them.
type List struct {
	ResourceVersion int64 // of the registry when the list was read
	Items           []json.RawMessage
}

// page is one answer to a list: some objects, and where the rest is.
type page struct {
	List
	next string // "" when this is the last
}

// List returns all objects of a resource, in as many pieces as the API server
// likes. An empty resourceVersion reads the registry itself; "0" takes what
// the API server has in its cache; a number waits until the cache is at least
// that new.
func (c *Client) List(ctx context.Context, resource, resourceVersion string) (List, error) {
	list, err := c.listPages(ctx, resource, resourceVersion, pageItems)
	if errors.Is(err, errPageExpired) {
		// The state that the pages were of is gone while they were read: once
		// more, in one piece.
		list, err = c.listPages(ctx, resource, resourceVersion, 0)
	}
	return list, err
}

// metadataOnly asks for objects without spec and status, and takes them whole
// from a server that cannot leave those out (kubernetes.io, API concepts:
// metadata-only fetches).
const metadataOnly = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"

// ListMetadata is List for one who wants no more than the objects' metadata: a
// Node, say, is mostly status.
func (c *Client) ListMetadata(ctx context.Context, resource, resourceVersion string) (List, error) {
	only := *c
	only.accept = metadataOnly
	return only.List(ctx, resource, resourceVersion)
}

var errPageExpired = errors.New("the rest of a list has expired")

// listPages reads pages until there are no more; limit 0 asks for one.
func (c *Client) listPages(ctx context.Context, resource, resourceVersion string, limit int) (List, error) {
	query := url.Values{}
	if resourceVersion != "" {
		query.Set("resourceVersion", resourceVersion)
	}
	if limit > 0 {
		query.Set("limit", strconv.Itoa(limit))
	}
	var all List
	for first := true; ; first = false {
		body, err := c.do(ctx, http.MethodGet, resource, "", "", query, "", nil)
		var status *StatusError
		if !first && errors.As(err, &status) && status.Code == http.StatusGone {
			return List{}, fmt.Errorf("%w: %w", errPageExpired, err)
		}
		if err != nil {
			return List{}, err
		}
		p, err := readPage(body)
		if err != nil {
			return List{}, fmt.Errorf("list %s: read the answer: %w", resource, err)
		}
		if first {
			all.ResourceVersion = p.ResourceVersion // of all pages
		}
		all.Items = append(all.Items, p.Items...)
		if p.next == "" {
			return all, nil
		}
		if p.next == query.Get("continue") || len(p.Items) == 0 {
			return List{}, fmt.Errorf("list %s: the API server keeps sending the same page", resource)
		}
		query.Del("resourceVersion") // the token stands for it
		query.Set("continue", p.next)
	}
}

// readPage takes a list apart without looking into its objects, which share
// the body's memory.
func readPage(body []byte) (page, error) {
	var p page
	var version []byte
	s := rawjson.Scan(body)
	err := s.Members(func(name []byte) error {
		switch string(name) {
		case "metadata":
			return s.Members(func(name []byte) (err error) {
				switch string(name) {
				case "resourceVersion":
					version, err = s.Text()
				case "continue":
					var token []byte
					token, err = s.Text()
					p.next = string(token)
				default:
					err = s.Skip()
				}
				return err
			})
		case "items":
			return s.Elements(func() error {
				item, err := s.Raw()
				p.Items = append(p.Items, item)
				return err
			})
		}
		return s.Skip()
	})
	if err == nil {
		err = s.End()
	}
	if err == nil {
		p.ResourceVersion, err = revisionOf(version)
	}
	return p, err
}

// revisionOf reads a resourceVersion. Clients may compare those of one
// resource as numbers: Kubernetes' API servers pass on etcd's revision, and
// since 1.35 that they are whole numbers of growing size is part of the API
// (KEP-5504).
func revisionOf(version []byte) (int64, error) {
	revision, err := strconv.ParseInt(string(version), 10, 64)
	if err != nil || revision < 0 {
		return 0, fmt.Errorf("resourceVersion %q is no revision", version)
	}
	return revision, nil
}
