package recording

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestCausesLeaveNumbersOut(t *testing.T) {
	for text, want := range map[string]string{
		"":                   "",
		"connection refused": "connection refused",
		"read tcp 127.0.0.1:43210->[::1]:80: reset": "read tcp #.#.#.#:#->[::#]:#: reset",
		"HTTP 503, not gRPC's answer":               "HTTP 503, not gRPC's answer",
		"HTTP 50312":                                "HTTP #",
		"stream 7 of 503":                           "stream # of #",
		"request 6f1c-9a2b_x failed":                "request #-# failed",
		"the answer is longer than 4 bytes":         "the answer is longer than # bytes",
		strings.Repeat("é", 200):                    strings.Repeat("é", causeMaxBytes/2),
		strings.Repeat("a ", 200):                   strings.Repeat("a ", causeMaxBytes/2),
		strings.Repeat("a", 159) + "é":              strings.Repeat("a", 159) + "?",
	} {
		var name className
		class, code := name.write("UNAVAILABLE", text, false)
		if got := classOf(string(class)); got != (Class{"UNAVAILABLE", want}) || string(code) != "UNAVAILABLE" {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
	var name className
	class, code := name.write(strings.Repeat("c", 500), strings.Repeat("e", 500), false)
	if len(class) != classNameMaxBytes || len(code) != codeMaxBytes {
		t.Errorf("%d and %d bytes", len(class), len(code))
	}
}

// TestCausesKeepTheNumbersOfOurOwnTexts: those of a server's text stay out.
func TestCausesKeepTheNumbersOfOurOwnTexts(t *testing.T) {
	for text, want := range map[string]string{
		"answered with 3 messages; at least 5 are expected":                                 "answered with 3 messages; at least 5 are expected",
		"answered OK with 0 messages, not one":                                              "answered OK with 0 messages, not one",
		"the answer is longer than 4096 bytes":                                              "the answer is longer than 4096 bytes",
		"HTTP 503, not gRPC's answer":                                                       "HTTP 503, not gRPC's answer",
		"connect to 127.0.0.1:50051: dial tcp 127.0.0.1:50051: connect: connection refused": "connect to 127.0.0.1:50051: dial tcp 127.0.0.1:50051: connect: connection refused",
		"connect to bank-2.example:443 over TLS: no":                                        "connect to bank-2.example:443 over TLS: no",
		"connect to [fe80::1%eth0]:80: no":                                                  "connect to [fe80::1%eth0]:80: no",
		`desc = "transport: dial tcp 10.0.0.1:1: no"`:                                       `desc = "transport: dial tcp 10.0.0.1:1: no"`,
		// Another with each connection, stream or second.
		"read tcp 127.0.0.1:43210->127.0.0.1:80: reset":                      "read tcp #.#.#.#:#->127.0.0.1:80: reset",
		"read tcp [::1]:43210->[::1]:80: reset":                              "read tcp [::#]:#->[::1]:80: reset",
		"stream error: stream ID 17; PROTOCOL_ERROR":                         "stream error: stream ID #; PROTOCOL_ERROR",
		"not yet valid: current time 2026-11-22T21:38:26-05:00 is after all": "not yet valid: current time #-#-#:#:#-#:# is after all",
		"it took 12.5s, or 12345678901234567890":                             "it took #.#, or #",
	} {
		var name className
		class, _ := name.write("UNAVAILABLE", text, true)
		if got := classOf(string(class)); got.Cause != want {
			t.Errorf("%q became %q, want %q", text, got.Cause, want)
		}
	}
}

// TestCausesHoldNothingThatATerminalObeys: a server writes what it likes.
func TestCausesHoldNothingThatATerminalObeys(t *testing.T) {
	for text, want := range map[string]string{
		"first\nsecond\r\n":          "first second  ",
		"\x1b[31m red\x1b[0m":        " [# red [#",
		"\x1b]0;title\x07":           " ]#;title ",
		"a\x00b\x7fc\td":             "a b c d",
		"C \u009b2J and \u0085 next": "C  # and   next",
		"raw \x9b2J":                 "raw #",
		"\u202eright to left\u2028":  " right to left ",
	} {
		for _, own := range []bool{false, true} {
			var name className
			class, _ := name.write("INTERNAL", text, own)
			if got := classOf(string(class)); got.Code != "INTERNAL" || got.Cause != want {
				t.Errorf("%q became %q, want %q", text, got, want)
			}
		}
	}
	var name className
	class, code := name.write("51\x1b[2J\x00", "no", false)
	if got := classOf(string(class)); got != (Class{"51 [2J ", "no"}) || string(code) != "51 [2J " {
		t.Errorf("%q, %q", got, code)
	}
}

func TestBoundedTablesDoNotDependOnTheOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const limit = 5
		names := rapid.SliceOf(rapid.IntRange(0, 12)).Draw(t, "names")
		whole, left, right := newBounded(limit), newBounded(limit), newBounded(limit)
		for i, n := range names {
			name := fmt.Appendf(nil, "%02d", n)
			whole.add(name, 1)
			if i%2 == 0 {
				left.add(name, 1)
			} else {
				right.add(name, 1)
			}
		}
		swapped := right.clone()
		swapped.merge(&left)
		left.merge(&right)
		if !maps.Equal(left.table(), whole.table()) || !maps.Equal(swapped.table(), whole.table()) {
			t.Fatalf("%v: %v and %v", whole.table(), left.table(), swapped.table())
		}
		var sum int64
		for _, n := range whole.table() {
			sum += n
		}
		if sum != int64(len(names)) || len(whole.entries) > limit {
			t.Fatalf("%d of %d in %v", sum, len(names), whole.table())
		}
	})
}
