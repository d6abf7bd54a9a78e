package admin

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

//go:embed page.html
var pageText string

// pageTemplate is parsed when the program starts: one that cannot be is found
// by the first test.
var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"counts": counts, "seconds": seconds, "ms": ms,
}).Parse(pageText))

// page shows the router to people. It needs nothing from anywhere else.
func (a *Admin) page(w http.ResponseWriter, _ *http.Request) {
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, a.look(time.Now())); err != nil {
		answer(w, http.StatusInternalServerError, "make the page: "+err.Error())
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(b.Bytes()) // who asked may have gone
}

// counts writes what was counted under names, in their order.
func counts(by map[string]int64) string {
	parts := make([]string, 0, len(by))
	for _, name := range slices.Sorted(maps.Keys(by)) {
		parts = append(parts, fmt.Sprintf("%s %d", name, by[name]))
	}
	return strings.Join(parts, ", ")
}

// seconds writes an age.
func seconds(s *float64) string {
	if s == nil {
		return "never"
	}
	return time.Duration(*s * float64(time.Second)).Round(10 * time.Millisecond).String()
}

// ms writes a bound of latency; none is a dash.
func ms(bound float64) string {
	if bound == 0 {
		return "–"
	}
	return fmt.Sprintf("≤ %g ms", bound)
}
