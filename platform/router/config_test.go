package router

import (
	"strings"
	"testing"
	"time"
)

func TestParseConfig(t *testing.T) {
	c, err := ParseConfig([]byte(`
dataplane: raw-codec
strategy: p2c-ewma
parser: linkerd-2018
policies: [snapshot, heartbeat, quarantine]
watch_null: freeze
binding_timeout: 500ms
retries: {kind: budget, ratio: 0.1}
ejection: {consecutive: 3, max_percent: 50, panic_percent: 50}
`))
	if err != nil {
		t.Fatal(err)
	}
	if c.BindingTimeout != 500*time.Millisecond || *c.BetterTableWait != 500*time.Millisecond {
		t.Errorf("waits %v, %v", c.BindingTimeout, *c.BetterTableWait)
	}
	if c.Retries.Ratio != 0.1 || c.Retries.MinPerS != 10 || c.Retries.Window != 10*time.Second {
		t.Errorf("retries %+v", c.Retries)
	}
	if c.Ejection.Consecutive != 3 || c.Ejection.Base != 30*time.Second || c.Ejection.Max != 300*time.Second {
		t.Errorf("ejection %+v", c.Ejection)
	}
	if !c.Has("heartbeat") || c.Has("keep-last") {
		t.Errorf("policies %v", c.Policies)
	}
}

func TestParseConfigDefaults(t *testing.T) {
	c, err := ParseConfig(nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.Strategy != "p2c-ewma" || c.Parser != "linkerd-2017" || c.Retries.Kind != "none" || c.Ejection != nil {
		t.Errorf("%+v", c)
	}
	if c.BindingTimeout != 10*time.Second || *c.BetterTableWait != 0 {
		t.Errorf("waits %v, %v", c.BindingTimeout, *c.BetterTableWait)
	}
}

func TestParseConfigRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"strategy: magic":                  "random",
		"parser: linkerd-1999":             "linkerd-2017",
		"policies: [hope]":                 "heartbeat",
		"policies: [snapshot, snapshot]":   "twice",
		"watch_null: explode":              "freeze",
		"dataplane: pigeons":               "raw-codec",
		"retries: {kind: forever}":         "budget",
		"retries: {window: 1ms}":           "window",
		"ejection: {max_percent: 101}":     "percentage",
		"binding_timeout: -1s":             "binding_timeout",
		"better_table_wait: -1s":           "better_table_wait",
		"polices: [snapshot]":              "polices",
		"retries: {kind: budget, ratio: x": "configuration",
	} {
		_, err := ParseConfig([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one that mentions %q", text, err, want)
		}
	}
}
