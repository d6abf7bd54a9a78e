package cluster

import (
	"fmt"
	"os"
	"strings"
)

// tokenLeast is how many characters a token must have: 128 bits in hex.
const tokenLeast = 32

// token reads what admin listeners ask for; empty where they ask for nothing.
func (t Topology) token() (string, error) {
	if t.TokenFile == "" {
		return "", nil
	}
	text, err := os.ReadFile(t.TokenFile)
	if err != nil {
		return "", fmt.Errorf("read the token: %w", err)
	}
	token := strings.TrimSpace(string(text))
	if len(token) < tokenLeast {
		return "", fmt.Errorf("read the token: %s has %d characters; it must have %d", t.TokenFile, len(token), tokenLeast)
	}
	return token, nil
}
