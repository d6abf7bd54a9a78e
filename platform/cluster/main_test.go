package cluster

import (
	"testing"

	"breakbank/platform/ports"
	"breakbank/platform/testrun"
)

// testPorts are those of all tests: nobody listens at the address of a part that
// is absent.
var testPorts = ports.New()

// testsMax is how many tests run at once, however few cores there are: they wait,
// mostly for parts that do not answer.
const testsMax = 6

func TestMain(m *testing.M) {
	testrun.AtOnce(testsMax)
	m.Run()
}
