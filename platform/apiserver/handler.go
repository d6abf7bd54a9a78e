package apiserver

import (
	"context"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"breakbank/platform/registry"
)

// handle answers one request.
func (s *Server) handle(w http.ResponseWriter, r *http.Request) {
	if err := takeBody(w, r); err != nil {
		s.fail(w, r, request{}, err)
		return
	}
	if document, ok := discoveryDocument(r.URL.Path); ok {
		writeJSON(w, http.StatusOK, document)
		return
	}
	switch r.URL.Path {
	case "/healthz", "/livez", "/readyz":
		w.WriteHeader(http.StatusOK)
		return
	}
	req, ok := parsePath(r.URL.Path)
	if !ok {
		s.fail(w, r, request{}, notServed(r.URL.Path))
		return
	}
	if err := s.dispatch(w, r, req); err != nil {
		s.fail(w, r, req, err)
	}
}

// dispatch calls the verb's handler. An error means that nothing has been
// written yet.
func (s *Server) dispatch(w http.ResponseWriter, r *http.Request, req request) error {
	k := s.kinds[req.kind.Resource]
	if req.namespace != "" && req.namespace != registry.Namespace && (req.name != "" || r.Method != http.MethodGet) {
		return apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, req.namespace)
	}
	if r.Method == http.MethodGet && req.name == "" {
		opts, err := parseReadOptions(r)
		switch {
		case err != nil:
			return err
		case opts.watch:
			return k.serveWatch(w, r, req, opts)
		}
		return k.serveList(w, r, req, opts)
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.cfg.ReadLimit)
	defer cancel()
	r = r.WithContext(ctx)
	switch {
	case r.Method == http.MethodGet && req.subresource == "scale":
		return k.getScale(w, r, req)
	case r.Method == http.MethodGet:
		return k.serveGet(w, r, req)
	case r.Method == http.MethodPost && req.name == "":
		return k.create(w, r, req)
	case r.Method == http.MethodPut && req.name != "":
		return k.update(w, r, req)
	case r.Method == http.MethodPatch && req.name != "":
		return k.patch(w, r, req)
	case r.Method == http.MethodDelete && req.name != "" && req.subresource == "":
		return k.remove(w, r, req)
	}
	return apierrors.NewMethodNotSupported(schema.GroupResource{Group: req.kind.Group, Resource: req.kind.Resource}, r.Method)
}

// fail answers with the error, or drops the connection when the request has
// ended without an answer.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, req request, err error) {
	if r.Context().Err() != nil {
		// The client has left, or the server is closing. To return without an
		// answer would be to answer 200, which a client that is still there
		// takes for a write that succeeded.
		panic(http.ErrAbortHandler)
	}
	status := withTypeMeta(statusOf(err, req))
	if status.Code >= http.StatusInternalServerError {
		s.cfg.Log.Warn("request failed", "method", r.Method, "path", r.URL.Path, "code", status.Code, "error", err)
	}
	writeJSON(w, int(status.Code), status)
}
