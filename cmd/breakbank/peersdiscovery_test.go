package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"breakbank/bench/benign"
)

func TestPeersDiscoveryRefusesBadFlags(t *testing.T) {
	for _, args := range []string{
		"--routers 0", "--services 0", "--endpoints 101", "--changes-per-s 0", "--duration 1ms", "--blocks 51",
		"--changes-per-s 0.2 --duration 1s", "--no-harm --operations 0", "--operations many",
	} {
		var out, errs bytes.Buffer
		code := run(append([]string{"peers", "discovery"}, strings.Fields(args)...), &out, &errs)
		if code != exitUsage || out.Len() > 0 || strings.Count(errs.String(), "\n") != 1 {
			t.Errorf("%s: exit %d, %q, %q", args, code, out.String(), errs.String())
		}
	}
}

func TestPeersDiscoveryNoHarm(t *testing.T) {
	var out, errs bytes.Buffer
	if code := run([]string{"peers", "discovery", "--no-harm", "--operations", "50", "--json"}, &out, &errs); code != exitOK {
		t.Fatalf("exit %d: %s", code, errs.String())
	}
	var r benign.Result
	if err := json.Unmarshal(out.Bytes(), &r); err != nil || r.Kind != "peers" || r.Requests == 0 || len(r.Arms) < 2 {
		t.Errorf("%v: %s", err, out.String())
	}
}
