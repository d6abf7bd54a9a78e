package client

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// StatusError is an answer other than success.
type StatusError struct {
	Code    int    // HTTP status: 410 when a resourceVersion is too old
	Reason  string // as in metav1.Status: "NotFound", "Expired", "Timeout"…
	Message string
	// RetryAfter is how long the server asks to be left alone, as it does with
	// 429; 0 if it does not say.
	RetryAfter time.Duration
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("%d %s: %s", e.Code, e.Reason, e.Message)
}

// statusError reads the failure that a response stands for.
func statusError(resp *http.Response) *StatusError {
	failure := &StatusError{Code: resp.StatusCode, Message: resp.Status}
	if body, err := readBody(resp); err == nil {
		var status metav1.Status
		if json.Unmarshal(body, &status) == nil && status.Message != "" {
			failure = fromStatus(status)
			failure.Code = resp.StatusCode
		}
	}
	// RFC 9110, 10.2.3: seconds, or a date.
	header := resp.Header.Get("Retry-After")
	if seconds, err := strconv.Atoi(header); err == nil {
		failure.RetryAfter = time.Duration(max(0, seconds)) * time.Second
	} else if at, err := http.ParseTime(header); err == nil {
		failure.RetryAfter = max(0, time.Until(at))
	}
	return failure
}

func fromStatus(status metav1.Status) *StatusError {
	failure := &StatusError{Code: int(status.Code), Reason: string(status.Reason), Message: status.Message}
	if status.Details != nil {
		failure.RetryAfter = time.Duration(status.Details.RetryAfterSeconds) * time.Second
	}
	return failure
}
