package recording

import (
	"strings"
	"unicode"
)

const (
	// classesMax bounds the classes of errors, codesMax the codes, routesMax the
	// routes; more are counted as "other".
	classesMax = 256
	codesMax   = 256
	routesMax  = 16
	// These bound what is kept of one.
	codeMaxBytes  = 64
	causeMaxBytes = 160
	routeMaxBytes = 32

	classNameMaxBytes = codeMaxBytes + 1 + causeMaxBytes
)

// Class is a class of errors: those of a code with much the same text. Cause is
// that text with every word that has a digit in it made a "#", so that ports,
// addresses, identifiers and durations do not make classes without end; the
// status after "HTTP" stays, and so do addresses and numbers of the generator's
// own texts. Neither has anything in it that a terminal obeys.
type Class struct{ Code, Cause string }

// className is a class as one name of a table: its parts, and a zero byte between
// them.
type className [classNameMaxBytes]byte

// write writes the name of an error's class, and says how long it and its code
// are. own says that the text is the generator's own.
func (c *className) write(code, text string, own bool) (name, codeName []byte) {
	n := copy(c[:codeMaxBytes], visible(code))
	codeName = c[:n]
	c[n] = 0
	cause := appendCause(c[n+1:n+1:n+1+causeMaxBytes], visible(text), own)
	return c[:n+1+len(cause)], codeName
}

// visible makes spaces of line breaks, control characters and those that change
// how others are shown: servers write what they like, and it ends on terminals.
func visible(text string) string {
	if strings.IndexFunc(text, hidden) < 0 {
		return text
	}
	return strings.Map(func(r rune) rune {
		if hidden(r) {
			return ' '
		}
		return r
	}, text)
}

func hidden(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp)
}

// classOf takes a name apart.
func classOf(name string) Class {
	code, cause, _ := strings.Cut(strings.ToValidUTF8(name, "?"), "\x00")
	return Class{Code: code, Cause: cause}
}

// appendCause appends a text without its numbers, as far as dst has room. Of the
// generator's own it keeps those that do not change from one request to the next.
func appendCause(dst []byte, text string, own bool) []byte {
	status := false
	for i := 0; i < len(text) && len(dst) < cap(dst); {
		if own {
			if n := stays(text, i); n > 0 {
				n = min(n, cap(dst)-len(dst))
				dst = append(dst, text[i:i+n]...)
				i, status = i+n, false
				continue
			}
		}
		if !inWord(text[i]) {
			dst = append(dst, text[i])
			status = status && text[i] == ' '
			i++
			continue
		}
		start, digits := i, false
		for ; i < len(text) && inWord(text[i]); i++ {
			digits = digits || isDigit(text[i])
		}
		word := text[start:i]
		switch {
		case digits && (!status || len(word) != 3):
			word = "#"
		case len(word) > cap(dst)-len(dst):
			word = word[:cap(dst)-len(dst)]
		}
		dst = append(dst, word...)
		status = word == "HTTP"
	}
	return dst
}

// What separates the parts of a text of the generator's own.
const (
	partBefore = " \"'(=>"
	partAfter  = " \"'),;"
)

// stays is how long the number or the address is that begins at i; 0 if neither
// does, or if it is another with each connection: its own end, which an arrow
// follows, or a stream.
func stays(text string, i int) int {
	before := text[:i]
	if i > 0 && strings.IndexByte(partBefore, before[i-1]) < 0 ||
		strings.HasSuffix(before, "stream ") || strings.HasSuffix(before, "ID ") {
		return 0
	}
	part := text[i:]
	if end := strings.IndexAny(part, partAfter); end >= 0 {
		part = part[:end]
	}
	if strings.Contains(part, "->") {
		return 0
	}
	part = strings.TrimRight(part, ":.")
	if isNumber(part, numberMaxDigits) || isAddress(part) {
		return len(part)
	}
	return 0
}

const (
	// numberMaxDigits bounds the numbers of our own texts: more is no count.
	numberMaxDigits = 9
	// portMaxDigits is how long a port is.
	portMaxDigits = 5
)

func isNumber(text string, maxDigits int) bool {
	return text != "" && len(text) <= maxDigits && strings.Trim(text, "0123456789") == ""
}

// isAddress says whether a text is host:port. A host with colons is in brackets,
// which keeps times of day out.
func isAddress(text string) bool {
	colon := strings.LastIndexByte(text, ':')
	if colon < 1 || !isNumber(text[colon+1:], portMaxDigits) {
		return false
	}
	host := text[:colon]
	if host[0] == '[' {
		return host[len(host)-1] == ']'
	}
	for i := range len(host) {
		if !inWord(host[i]) && host[i] != '.' && host[i] != '-' {
			return false
		}
	}
	return true
}

func isDigit(b byte) bool { return '0' <= b && b <= '9' }

// inWord says whether a byte is of a word: what is no letter in ASCII but part of
// one elsewhere counts as such.
func inWord(b byte) bool {
	return isDigit(b) || 'a' <= b|0x20 && b|0x20 <= 'z' || b == '_' || b >= 0x80
}
