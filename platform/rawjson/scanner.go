// Package rawjson reads a few members out of JSON text in one pass, without
// decoding the rest and without allocating.
//
// It is for the path of a change from the registry to the routers, where the
// same object is looked into by several readers of which each wants two or
// three members. What it takes for JSON is exactly what encoding/json does,
// which a fuzz test holds it to. It differs in that names of members are
// matched as they are spelled, and null reads as nothing everywhere: as no
// members, no elements, the empty text, zero.
package rawjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// maxDepth bounds how deeply values may nest, as encoding/json does.
const maxDepth = 10_000

var (
	errSyntax = errors.New("not JSON")
	errDepth  = errors.New("JSON that nests too deeply")
)

// Scanner stands before a value of a JSON text. Each method reads that value
// and leaves it behind. A Scanner that has returned an error is of no further
// use. It is for one goroutine; what it returns shares memory with the text.
type Scanner struct {
	text  []byte
	at    int
	depth int
}

// Scan returns a scanner that stands before the text's only value.
func Scan(text []byte) Scanner { return Scanner{text: text} }

// Next returns the first byte of the value: one of {["tfn-0123456789, or 0 at
// the end of the text.
func (s *Scanner) Next() byte {
	for s.at < len(s.text) {
		switch c := s.text[s.at]; c {
		case ' ', '\t', '\r', '\n':
			s.at++
		default:
			return c
		}
	}
	return 0
}

// End fails unless nothing but white space is left.
func (s *Scanner) End() error {
	if s.Next(); s.at < len(s.text) {
		return s.wrong()
	}
	return nil
}

// Members calls each with the name of every member of an object. each must
// read the member's value by exactly one method of the scanner.
func (s *Scanner) Members(each func(name []byte) error) error {
	if !s.open('{') {
		return s.null("an object")
	}
	if s.depth++; s.depth > maxDepth {
		return errDepth
	}
	if s.Next() == '}' {
		return s.close()
	}
	for {
		if s.Next() != '"' {
			return s.wrong()
		}
		name, err := s.Text()
		if err != nil {
			return err
		}
		if !s.open(':') {
			return s.wrong()
		}
		if err := each(name); err != nil {
			return err
		}
		switch s.Next() {
		case ',':
			s.at++
		case '}':
			return s.close()
		default:
			return s.wrong()
		}
	}
}

// Elements calls each for every element of an array. each must read it by
// exactly one method of the scanner.
func (s *Scanner) Elements(each func() error) error {
	if !s.open('[') {
		return s.null("an array")
	}
	if s.depth++; s.depth > maxDepth {
		return errDepth
	}
	if s.Next() == ']' {
		return s.close()
	}
	for {
		if err := each(); err != nil {
			return err
		}
		switch s.Next() {
		case ',':
			s.at++
		case ']':
			return s.close()
		default:
			return s.wrong()
		}
	}
}

// Text reads a string.
func (s *Scanner) Text() ([]byte, error) {
	if s.Next() != '"' {
		return nil, s.null("a string")
	}
	plain := true
	text, from := s.text, s.at
	for at := from + 1; at < len(text); at++ {
		switch c := text[at]; {
		case c >= 0x80:
			plain = false // and perhaps not UTF-8
		case c > '\\' || c >= '#' && c < '\\':
			// Most bytes of most strings.
		case c == '"':
			s.at = at + 1
			if plain {
				return text[from+1 : at], nil
			}
			return decode(text[from:s.at])
		case c == '\\':
			plain = false
			at++ // whatever it is, it does not end the string
		case c < ' ':
			s.at = at
			return nil, s.wrong()
		}
	}
	s.at = len(text)
	return nil, s.wrong()
}

// decode reads a string that is more than the bytes between its quotes.
func decode(quoted []byte) ([]byte, error) {
	var text string
	if err := json.Unmarshal(quoted, &text); err != nil {
		return nil, fmt.Errorf("%w: %w", errSyntax, err)
	}
	return []byte(text), nil
}

// Int reads a whole number.
func (s *Scanner) Int() (int, error) {
	if c := s.Next(); c != '-' && (c < '0' || c > '9') {
		return 0, s.null("a number")
	}
	from := s.at
	if err := s.number(); err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(string(s.text[from:s.at]))
	if err != nil {
		return 0, fmt.Errorf("%s is no whole number", s.text[from:s.at])
	}
	return n, nil
}

// Raw reads any value and returns its text.
func (s *Scanner) Raw() ([]byte, error) {
	from := s.Mark()
	err := s.Skip()
	return s.Since(from), err
}

// Mark remembers where the value begins that is next.
func (s *Scanner) Mark() int {
	s.Next()
	return s.at
}

// Since returns the text that has been read since a mark.
func (s *Scanner) Since(mark int) []byte { return s.text[mark:s.at:s.at] }

// Skip reads any value and forgets it.
func (s *Scanner) Skip() error {
	switch c := s.Next(); c {
	case '{':
		return s.Members(func([]byte) error { return s.Skip() })
	case '[':
		return s.Elements(s.Skip)
	case '"':
		_, err := s.Text()
		return err
	case 't':
		return s.word("true")
	case 'f':
		return s.word("false")
	case 'n':
		return s.word("null")
	default:
		return s.number()
	}
}

// number reads a number of any kind.
func (s *Scanner) number() error {
	if s.peek() == '-' {
		s.at++
	}
	if s.peek() == '0' {
		s.at++
	} else if !s.digits() {
		return s.wrong()
	}
	if s.peek() == '.' {
		s.at++
		if !s.digits() {
			return s.wrong()
		}
	}
	if c := s.peek(); c == 'e' || c == 'E' {
		s.at++
		if c := s.peek(); c == '+' || c == '-' {
			s.at++
		}
		if !s.digits() {
			return s.wrong()
		}
	}
	return nil
}

func (s *Scanner) digits() bool {
	from := s.at
	for c := s.peek(); c >= '0' && c <= '9'; c = s.peek() {
		s.at++
	}
	return s.at > from
}

func (s *Scanner) peek() byte {
	if s.at < len(s.text) {
		return s.text[s.at]
	}
	return 0
}

// open reads a punctuation mark if it is next.
func (s *Scanner) open(mark byte) bool {
	if s.Next() != mark {
		return false
	}
	s.at++
	return true
}

func (s *Scanner) close() error {
	s.at++
	s.depth--
	return nil
}

// null reads a null in place of what is wanted.
func (s *Scanner) null(wanted string) error {
	switch s.Next() {
	case 'n':
		return s.word("null")
	case '{', '[', '"', 't', 'f', '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return fmt.Errorf("%s is wanted, byte %d is %q", wanted, s.at, s.text[s.at])
	}
	return s.wrong()
}

func (s *Scanner) word(want string) error {
	if !bytes.HasPrefix(s.text[s.at:], []byte(want)) {
		return s.wrong()
	}
	s.at += len(want)
	return nil
}

// wrong says where the text is not what it should be.
func (s *Scanner) wrong() error {
	if s.at >= len(s.text) {
		return fmt.Errorf("%w: it ends early", errSyntax)
	}
	return fmt.Errorf("%w: byte %d is %q", errSyntax, s.at, s.text[s.at])
}
