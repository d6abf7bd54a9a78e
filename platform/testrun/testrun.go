// Package testrun is how the tests of packages run whose tests start real parts of
// the platform: many at once, as they mostly wait, and leaving nothing behind.
package testrun

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// AtOnce lets so many tests that are parallel run at once, however few cores there
// are, unless -parallel says otherwise. It is for TestMain.
func AtOnce(tests int) {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if given {
		return
	}
	if err := flag.Set("test.parallel", strconv.Itoa(tests)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Leaving runs the tests and returns their exit code, which is not 0 if goroutines
// are left after so much time: those of connections between stopped etcd members
// end with etcd's own read timeout of five seconds. Connections that the default HTTP
// client keeps for later are closed first.
func Leaving(m *testing.M, patience time.Duration, ignored ...goleak.Option) (code int) {
	code = m.Run()
	http.DefaultClient.CloseIdleConnections()
	deadline := time.Now().Add(patience)
	err := goleak.Find(ignored...)
	for err != nil && time.Now().Before(deadline) {
		err = goleak.Find(ignored...) // polls for a second or so by itself
	}
	if err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	return code
}
