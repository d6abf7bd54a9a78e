package workers

import (
	"errors"
	"fmt"
	"net"
	"strings"
)

// urlScheme is the scheme of a coordinator's URL; it may be left out.
const urlScheme = "nats://"

// makeURL puts an address and a token together.
func makeURL(address, token string) string {
	if token != "" {
		return urlScheme + token + "@" + address
	}
	return urlScheme + address
}

// splitURL takes a coordinator's URL apart. Its errors do not show it, since
// what was meant as a token may be anywhere in it.
func splitURL(url string) (address, token string, err error) {
	const form = "a coordinator is joined at nats://TOKEN@host:port"
	rest := strings.TrimPrefix(url, urlScheme)
	if strings.Contains(rest, "://") {
		return "", "", errors.New("the URL has another scheme than nats: " + form)
	}
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		token, rest = rest[:at], rest[at+1:]
		if token == "" {
			return "", "", errors.New("the URL has no token before the @: " + form)
		}
		if err := checkToken(token); err != nil {
			return "", "", fmt.Errorf("%w: %s", err, form)
		}
	}
	rest = strings.TrimSuffix(rest, "/")
	host, port, err := net.SplitHostPort(rest)
	if err != nil || host == "" || port == "" || strings.ContainsAny(rest, "/ ,") {
		return "", "", errors.New("the URL has no host and port: " + form)
	}
	return rest, token, nil
}
