package telemetry

import (
	"net/http"
	"net/url"
	"regexp"
	"time"

	"google.golang.org/protobuf/proto"

	adminv1 "breakbank/proto/admin/v1"
)

// Parameters of a search over HTTP.
const (
	searchPart = "part"
	searchText = "text"
)

// SearchQuery is the query of a request that [Logs.ServeHTTP] answers.
func SearchQuery(prefix, text string) string {
	return url.Values{searchPart: {prefix}, searchText: {text}}.Encode()
}

// ServeHTTP answers a search with a SearchLogsResponse in protobuf's encoding,
// for a process that gathers those of others.
func (l *Logs) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	asked := r.URL.Query()
	answer, err := proto.Marshal(l.Search(asked.Get(searchPart), asked.Get(searchText)))
	if err != nil { // Lines are kept as valid UTF-8, and nothing else could fail.
		http.Error(w, "what was found cannot be sent", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
	_, _ = w.Write(answer) // who asked may have gone
}

// MergeFound adds up what searches of several processes have found. The first
// line is the oldest of all, by what the lines say of their time.
func MergeFound(all ...*adminv1.SearchLogsResponse) *adminv1.SearchLogsResponse {
	total := &adminv1.SearchLogsResponse{}
	var oldest time.Time
	for _, one := range all {
		total.Found += one.GetFound()
		total.Logs += one.GetLogs()
		if one.GetFound() == 0 {
			continue
		}
		if at := timeOf(one.GetFirst()); total.GetFirstLog() == "" || at.Before(oldest) {
			oldest, total.First, total.FirstLog = at, one.GetFirst(), one.GetFirstLog()
		}
	}
	return total
}

// lineTime finds when a line was written, in either format: slog puts it first.
var lineTime = regexp.MustCompile(`^(?:\{"time":"|time=)([^" ]+)`)

// timeOf is when a line says that it was written; one that does not is as old
// as can be.
func timeOf(line string) time.Time {
	found := lineTime.FindStringSubmatch(line)
	if found == nil {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339Nano, found[1])
	if err != nil {
		return time.Time{}
	}
	return at
}
