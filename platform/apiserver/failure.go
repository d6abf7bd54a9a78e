package apiserver

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"breakbank/platform/registry"
)

// statusOf maps an error to the status that Kubernetes answers it with. It is
// the only place where that is decided.
func statusOf(err error, req request) metav1.Status {
	resource := schema.GroupResource{Group: req.kind.Group, Resource: req.kind.Resource}
	var known apierrors.APIStatus
	switch {
	case errors.As(err, &known):
		return known.Status()
	case errors.Is(err, registry.ErrNotFound):
		return apierrors.NewNotFound(resource, req.name).Status()
	case errors.Is(err, registry.ErrExists):
		return apierrors.NewAlreadyExists(resource, req.name).Status()
	case errors.Is(err, registry.ErrConflict):
		return apierrors.NewConflict(resource, req.name, errors.New("the object has been modified; please apply your changes to the latest version and try again")).Status()
	case errors.Is(err, errTooOld), errors.Is(err, rpctypes.ErrCompacted):
		return apierrors.NewResourceExpired(err.Error()).Status()
	case errors.Is(err, errNotReady):
		return apierrors.NewServiceUnavailable(err.Error()).Status()
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, rpctypes.ErrTimeout), status.Code(err) == codes.DeadlineExceeded:
		return apierrors.NewTimeoutError("etcd did not answer in time", 0).Status()
	case errors.Is(err, rpctypes.ErrRequestTooLarge), status.Code(err) == codes.ResourceExhausted:
		return apierrors.NewRequestEntityTooLargeError("it is larger than etcd takes").Status()
	case status.Code(err) == codes.Unavailable:
		return apierrors.NewServiceUnavailable(err.Error()).Status()
	}
	return apierrors.NewInternalError(err).Status()
}

// tooLargeVersion is the answer to a version that the cache has not reached:
// client-go tells it from other timeouts by its cause.
func tooLargeVersion(wanted, current int64) error {
	failure := apierrors.NewTimeoutError("Too large resource version", 1)
	failure.ErrStatus.Details.Causes = []metav1.StatusCause{{
		Type:    metav1.CauseTypeResourceVersionTooLarge,
		Message: "Too large resource version: " + formatRevision(wanted) + ", current: " + formatRevision(current),
	}}
	return failure
}

func unsupportedMediaType(mediaType string) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusUnsupportedMediaType, Reason: metav1.StatusReasonUnsupportedMediaType,
		Message: "the body of the request is of the media type " + mediaType + ", which is not supported here",
	}}
}

// notServed is the answer for a path that leads nowhere.
func notServed(path string) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusNotFound, Reason: metav1.StatusReasonNotFound,
		Message: "the server could not find the requested resource: " + path,
	}}
}

func withTypeMeta(s metav1.Status) metav1.Status {
	s.TypeMeta = metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}
	return s
}

func writeJSON(w http.ResponseWriter, code int, value any) {
	body, err := json.Marshal(value)
	if err != nil { // only our own documents and statuses come here
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	writeBody(w, code, body)
}

func writeBody(w http.ResponseWriter, code int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body))) // a reader then needs no guess
	w.WriteHeader(code)
	// A client that has left is no error of the server's.
	_, _ = w.Write(body)
}
