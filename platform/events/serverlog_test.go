package events

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

// What a client has sent is not in the log; that it was no good is.
func TestLogQuotesNoClient(t *testing.T) {
	var log bytes.Buffer
	l := serverLog{slog.New(slog.NewJSONHandler(&log, nil))}
	l.Errorf("%s - cid:%d - Client parser ERROR, state=%d: proto='%s...'", "127.0.0.1:1", 7, 0, `"GET /secret HTTP/1.1"`)
	l.Errorf("%s - cid:%d - Publish Violation - Subject %q", "127.0.0.1:1", 7, "secret")
	l.Errorf("cannot write %q", "streams")
	said := log.String()
	if strings.Contains(said, "secret") {
		t.Errorf("it quotes the client: %s", said)
	}
	for _, wanted := range []string{"127.0.0.1:1 - cid:7", "parser ERROR, state=0", "Publish Violation", "streams"} {
		if !strings.Contains(said, wanted) {
			t.Errorf("it lacks %q: %s", wanted, said)
		}
	}
}
