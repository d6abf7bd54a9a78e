package apiserver

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"breakbank/platform/registry"
)

// request is what a URL path asks for.
type request struct {
	kind        registry.Kind
	namespace   string // empty: cluster-scoped, or all namespaces
	name        string // empty: the collection
	subresource string // "", "status" or "scale"
}

// parsePath understands
//
//	/api/v1/[namespaces/NS/]RESOURCE[/NAME[/SUBRESOURCE]]
//	/apis/GROUP/VERSION/[namespaces/NS/]RESOURCE[/NAME[/SUBRESOURCE]]
//
// and reports false for anything else, or what no kind answers to.
func parsePath(path string) (request, bool) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	var group, version string
	switch {
	case len(parts) >= 3 && parts[0] == "api":
		version, parts = parts[1], parts[2:]
	case len(parts) >= 4 && parts[0] == "apis":
		group, version, parts = parts[1], parts[2], parts[3:]
	default:
		return request{}, false
	}
	var req request
	if len(parts) >= 3 && parts[0] == "namespaces" {
		req.namespace, parts = parts[1], parts[2:]
	}
	kind, ok := registry.KindOf(parts[0])
	if !ok || kind.Group != group || kind.Version != version || len(parts) > 3 {
		return request{}, false
	}
	req.kind = kind
	if len(parts) > 1 {
		req.name = parts[1]
	}
	if len(parts) > 2 {
		req.subresource = parts[2]
	}
	switch {
	case !kind.Namespaced && req.namespace != "",
		kind.Namespaced && req.namespace == "" && req.name != "",
		req.subresource == "status" && !kind.HasStatus,
		req.subresource == "scale" && !kind.HasScale,
		req.subresource != "" && req.subresource != "status" && req.subresource != "scale":
		return request{}, false
	}
	return req, true
}

// readOptions are the query parameters of get, list and watch.
type readOptions struct {
	version       string // resourceVersion as given
	revision      int64  // the same as a number; 0 for "" and "0"
	match         metav1.ResourceVersionMatch
	watch         bool
	bookmarks     bool
	initialEvents bool // watch-list: objects first, then a bookmark that says so
	timeout       time.Duration
	selector      selector
}

// maxWatch bounds a watch whose client gives no timeoutSeconds.
const maxWatch = time.Hour

func parseReadOptions(r *http.Request) (readOptions, error) {
	query := r.URL.Query()
	opts := readOptions{
		version: query.Get("resourceVersion"),
		match:   metav1.ResourceVersionMatch(query.Get("resourceVersionMatch")),
		timeout: maxWatch,
	}
	var err error
	if opts.version != "" {
		opts.revision, err = strconv.ParseInt(opts.version, 10, 64)
		if err != nil || opts.revision < 0 {
			return opts, apierrors.NewBadRequest(fmt.Sprintf("resourceVersion: invalid value %q", opts.version))
		}
	}
	for name, into := range map[string]*bool{"watch": &opts.watch, "allowWatchBookmarks": &opts.bookmarks, "sendInitialEvents": &opts.initialEvents} {
		value := query.Get(name)
		if value == "" {
			continue
		}
		if *into, err = strconv.ParseBool(value); err != nil {
			return opts, apierrors.NewBadRequest(fmt.Sprintf("%s: invalid value %q", name, value))
		}
	}
	if value := query.Get("timeoutSeconds"); value != "" {
		seconds, err := strconv.ParseInt(value, 10, 32)
		if err != nil || seconds < 0 {
			return opts, apierrors.NewBadRequest(fmt.Sprintf("timeoutSeconds: invalid value %q", value))
		}
		if seconds > 0 {
			opts.timeout = time.Duration(seconds) * time.Second
		}
	}
	switch {
	case query.Get("continue") != "":
		return opts, apierrors.NewBadRequest("continue: lists are never cut into pieces here")
	case query.Has("sendInitialEvents") && opts.match != metav1.ResourceVersionMatchNotOlderThan:
		return opts, apierrors.NewBadRequest("sendInitialEvents requires resourceVersionMatch=NotOlderThan")
	case opts.initialEvents && !opts.watch:
		return opts, apierrors.NewBadRequest("sendInitialEvents is for watches")
	case opts.watch && opts.match != "" && !query.Has("sendInitialEvents"):
		return opts, apierrors.NewBadRequest("resourceVersionMatch is forbidden for a watch without sendInitialEvents")
	case opts.match == metav1.ResourceVersionMatchExact && opts.revision == 0:
		return opts, apierrors.NewBadRequest("resourceVersionMatch=Exact requires a resourceVersion other than 0")
	}
	opts.selector, err = parseSelector(query.Get("labelSelector"), query.Get("fieldSelector"))
	if err != nil {
		return opts, apierrors.NewBadRequest(err.Error())
	}
	return opts, nil
}

func formatRevision(revision int64) string { return strconv.FormatInt(revision, 10) }

func parseRevision(version string) (int64, error) {
	revision, err := strconv.ParseInt(version, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("resourceVersion %q is no revision", version)
	}
	return revision, nil
}
