package deploy

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
)

func TestHeartbeatsTranscript(t *testing.T) {
	start := time.Date(2017, 10, 27, 13, 0, 0, 0, time.UTC)
	var beats Heartbeats
	datadriven.RunTest(t, "testdata/heartbeats", func(t *testing.T, d *datadriven.TestData) string {
		var seconds int
		d.ScanArgs(t, "s", &seconds)
		now := start.Add(time.Duration(seconds) * time.Second)
		switch d.Cmd {
		case "heard":
			for node := range strings.FieldsSeq(d.Input) {
				beats.Heard(node, now)
			}
		case "look":
		default:
			t.Fatalf("unknown command %q", d.Cmd)
		}
		next := "never"
		if at := beats.Next(now); !at.IsZero() {
			next = fmt.Sprintf("at %vs", at.Sub(start).Seconds())
		}
		return fmt.Sprintf("silent: %v, next expiry %s\n", beats.Silent(now), next)
	})
}
