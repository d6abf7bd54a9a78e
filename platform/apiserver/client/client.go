// Package client is the raw client of the API servers: what routers and node
// agents read the registry with.
//
// It hands out the bytes that the API server sent. A router's parser must meet
// exactly what is on the wire, which client-go's typed objects would already
// have tidied up.
package client

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"breakbank/platform/registry"
)

// watchOpenLimit bounds the opening of a watch, up to the headers of the
// answer: as long as an API server may wait for etcd, though it opens one from
// its cache.
const watchOpenLimit = 10 * time.Second

// Client talks to one API server. It retries nothing, and sets no time limits
// beyond those of the contexts it is given, but for the opening of a watch. It
// is safe for concurrent use.
type Client struct {
	base    string
	options Options
	http    *http.Client
	accept  string // "" is accepted as JSON
}

// New returns a client for an API server that asks for nothing, such as
// "http://127.0.0.1:8001".
func New(base string) *Client {
	return &Client{base: strings.TrimSuffix(base, "/"), http: &http.Client{Transport: newTransport()}}
}

// Close drops idle connections. Requests and watches under way go on.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Get returns one object as raw JSON, read from the registry itself.
func (c *Client) Get(ctx context.Context, resource, name string) ([]byte, error) {
	return c.do(ctx, http.MethodGet, resource, name, "", nil, "", nil)
}

// Create stores a new object, which is encoded as JSON, and returns it as
// stored.
func (c *Client) Create(ctx context.Context, resource string, obj any) ([]byte, error) {
	body, err := json.Marshal(obj)
	if err != nil {
		return nil, fmt.Errorf("create %s: encode: %w", resource, err)
	}
	return c.do(ctx, http.MethodPost, resource, "", "", nil, "application/json", body)
}

// Update replaces an object, or a subresource of it ("status", "scale"; empty
// for the object itself, whose status then stays as it was), and returns it as
// stored.
func (c *Client) Update(ctx context.Context, resource, name string, obj any, subresource string) ([]byte, error) {
	body, err := json.Marshal(obj)
	if err != nil {
		return nil, fmt.Errorf("update %s %q: encode: %w", resource, name, err)
	}
	return c.do(ctx, http.MethodPut, resource, name, subresource, nil, "application/json", body)
}

// MergePatch applies a JSON merge patch (RFC 7396) to an object or to a
// subresource of it, and returns the object as stored.
func (c *Client) MergePatch(ctx context.Context, resource, name string, patch []byte, subresource string) ([]byte, error) {
	return c.do(ctx, http.MethodPatch, resource, name, subresource, nil, "application/merge-patch+json", patch)
}

// Delete removes an object. With a Service go its Endpoints.
func (c *Client) Delete(ctx context.Context, resource, name string) error {
	_, err := c.do(ctx, http.MethodDelete, resource, name, "", nil, "", nil)
	return err
}

func (c *Client) do(ctx context.Context, method, resource, name, subresource string, query url.Values, contentType string, body []byte) ([]byte, error) {
	resp, err := c.send(ctx, method, resource, name, subresource, query, contentType, body)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := readBody(resp)
	if err != nil {
		return nil, fmt.Errorf("%s %s %q: read the answer: %w", method, resource, name, err)
	}
	return answer, nil
}

// send returns a response whose status is a success; the caller closes it.
func (c *Client) send(ctx context.Context, method, resource, name, subresource string, query url.Values, contentType string, body []byte) (*http.Response, error) {
	target, err := c.url(resource, name, subresource)
	if err != nil {
		return nil, err
	}
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%s %s %q: %w", method, resource, name, err)
	}
	req.Header.Set("Accept", cmp.Or(c.accept, "application/json"))
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	token, err := c.options.bearer()
	if err != nil {
		return nil, fmt.Errorf("%s %s %q: %w", method, resource, name, err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := c.http.Do(req)
	if err == nil {
		if err = decode(resp); err != nil {
			_ = resp.Body.Close()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s %s %q: %w", method, resource, name, err)
	}
	if resp.StatusCode >= http.StatusBadRequest {
		defer resp.Body.Close()
		return nil, fmt.Errorf("%s %s %q: %w", method, resource, name, statusError(resp))
	}
	return resp, nil
}

func (c *Client) url(resource, name, subresource string) (string, error) {
	kind, ok := registry.KindOf(resource)
	if !ok {
		return "", fmt.Errorf("%w %q", registry.ErrUnknownResource, resource)
	}
	target := c.base + "/api/" + kind.Version
	if kind.Group != "" {
		target = c.base + "/apis/" + kind.Group + "/" + kind.Version
	}
	if kind.Namespaced {
		target += c.options.namespacePath()
	}
	target += "/" + kind.Resource
	if name != "" {
		target += "/" + url.PathEscape(name)
	}
	if subresource != "" {
		target += "/" + subresource
	}
	return target, nil
}

func watchQuery(resourceVersion int64) url.Values {
	return url.Values{
		"watch":               {"true"},
		"allowWatchBookmarks": {"true"},
		"resourceVersion":     {strconv.FormatInt(resourceVersion, 10)},
	}
}
