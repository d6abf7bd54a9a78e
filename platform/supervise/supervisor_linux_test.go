package supervise

import (
	"bufio"
	"os"
	"testing"
	"time"

	"breakbank/platform/process"
)

func TestPartsEndWithTheirSupervisorsProcess(t *testing.T) {
	presence, err := process.NewPresence()
	if err != nil {
		t.Fatal(err)
	}
	defer presence.Close()
	out, said, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd := command("supervising")
	cmd.Stdout = said
	p, err := process.Start(cmd, process.Options{Presence: presence.File()})
	said.Close()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Kill()
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatalf("it said %q, %v", line, err)
	}
	gone := presence.Gone()
	select {
	case <-gone:
		t.Fatal("nobody is there before the kill")
	default:
	}
	p.Kill()
	limit := time.NewTimer(testLimit)
	defer limit.Stop()
	select {
	case <-gone:
	case <-limit.C:
		t.Error("somebody is there")
	}
}
