package apiserver

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// maxBodyBytes is what a client may send at once; etcd takes 1.5 MiB.
const maxBodyBytes = 3 << 20

// takeBody reads a request's body whole, before anything is done about the
// request: whether or not anybody wants it, a client that sends too much of it,
// or sends it too slowly, is told so.
func takeBody(w http.ResponseWriter, r *http.Request) error {
	if r.ContentLength == 0 {
		return nil
	}
	if r.ContentLength > maxBodyBytes {
		return bodyTooLarge()
	}
	control := http.NewResponseController(w)
	if err := control.SetReadDeadline(time.Now().Add(readBodyTimeout)); err != nil {
		return fmt.Errorf("bound the wait for a body: %w", err)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBodyBytes))
	switch over := new(http.MaxBytesError); {
	case errors.As(err, &over):
		return bodyTooLarge()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return bodyTooSlow()
	case err != nil:
		return apierrors.NewBadRequest("the body cannot be read")
	}
	// From here on the request may last, as watches do.
	if err := control.SetReadDeadline(time.Time{}); err != nil {
		return fmt.Errorf("lift the bound on the wait for a body: %w", err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return nil
}

func bodyTooLarge() error {
	return apierrors.NewRequestEntityTooLargeError(fmt.Sprintf("the limit is %d bytes", maxBodyBytes))
}

func bodyTooSlow() error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusRequestTimeout, Reason: metav1.StatusReasonTimeout,
		Message: fmt.Sprintf("the body did not come within %v", readBodyTimeout),
	}}
}
