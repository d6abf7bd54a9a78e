package workers

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
)

// tokenAlphabet is what needs no escaping in a URL, and cannot be taken by NATS
// for a bcrypt hash, which has a $.
const tokenAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// NewToken is a random token.
func NewToken() string { return rand.Text() }

// checkToken says what is wrong with a token without showing it.
func checkToken(token string) error {
	switch {
	case token == "":
		return nil
	case len(token) < TokenMin:
		return fmt.Errorf("the token has %d characters: it needs %d", len(token), TokenMin)
	case strings.ContainsFunc(token, notOfTokens):
		return errors.New("the token may have letters, digits, - and _ only")
	}
	return nil
}

func notOfTokens(c rune) bool { return !strings.ContainsRune(tokenAlphabet, c) }
