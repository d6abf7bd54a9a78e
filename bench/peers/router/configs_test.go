package peers

import (
	"os"
	"strings"
	"testing"

	"breakbank/bench/arm"
	"breakbank/platform/ports"
	"breakbank/platform/router/discovery"
)

// testSite is a place for a peer, with everything that templates ask for.
func testSite(t *testing.T, p Peer) site {
	t.Helper()
	s, err := newSite(p.Name, "127.0.0.1:14140", "127.0.0.1:14191",
		[]string{"127.0.0.1:15001", "127.0.0.1:15002", "127.0.0.1:15003"}, 2, largeBytes, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestPeersAcceptTheirConfigurations: what is rendered is what the installed
// programs themselves call valid.
func TestPeersAcceptTheirConfigurations(t *testing.T) {
	for _, p := range Peers {
		if p.checkArgs == nil {
			continue
		}
		t.Run(p.Name, func(t *testing.T) {
			s := testSite(t, p)
			// Rendered before the program is looked for: that needs nothing.
			l := lineup{ports: ports.New()}
			cmd, err := l.command(p, s)
			if _, found := p.find(); !found {
				if err == nil || !strings.Contains(err.Error(), p.program) {
					t.Errorf("a command without a program: %v", err)
				}
				t.Skipf("SKIPPED: %s", p.missing())
			}
			if err != nil {
				t.Fatal(err)
			}
			cmd.Args = append(cmd.Args[:1], p.checkArgs(s)...)
			if said, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, said)
			}
			for _, backend := range s.Backends {
				text, err := os.ReadFile(s.path(p.files[0]))
				if err != nil || !strings.Contains(string(text), backend) {
					t.Errorf("%s is not in its configuration: %v", backend, err)
				}
			}
		})
	}
}

// TestOurRoutersAcceptTheirs: the arm is one that breakbank reads, with what
// the bar is about switched on, and the seed file holds the service.
func TestOurRoutersAcceptTheirs(t *testing.T) {
	for _, name := range []string{frames, rawCodec} {
		peers, err := ByNames([]string{name})
		if err != nil {
			t.Fatal(err)
		}
		s := testSite(t, peers[0])
		if err := s.write(peers[0].files); err != nil {
			t.Fatal(err)
		}
		a, err := arm.Load(s.path("arm.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"dataplane: " + name, "p2c-ewma", "identity"} {
			if !strings.Contains(a.Router, want) {
				t.Errorf("%s: the arm has no %q:\n%s", name, want, a.Router)
			}
		}
		if _, err := discovery.OpenSeedFile(s.path("seed.yaml")); err != nil {
			t.Error(err)
		}
	}
}

func TestAMissingPeerSaysHowToInstallIt(t *testing.T) {
	ghost := Peer{Name: "ghost", Package: "ghost-server", program: "no-such-program-anywhere"}
	here, versions, missing := Installed([]Peer{Peers[0], ghost})
	if len(here) != 1 || len(versions) != 0 || len(missing) != 1 {
		t.Fatalf("%v, %v, %v", here, versions, missing)
	}
	if got, want := missing[0].String(), "ghost: not installed (apt-get install ghost-server)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestVersionsAreFoundInWhatProgramsSay(t *testing.T) {
	for said, want := range map[string]string{
		"HAProxy version 2.6.12-1+deb12u4 2026/10/17 - https://haproxy.org/": "2.6.12-1+deb12u4",
		"nginx version: nginx/1.22.1":                                        "1.22.1",
		"v2.10.2 h1:abc=":                                                    "2.10.2",
		"what?":                                                              "",
	} {
		if got := versionNumber.FindString(said); got != want {
			t.Errorf("%q: %q, want %q", said, got, want)
		}
	}
}

func TestPeersByName(t *testing.T) {
	chosen, err := ByNames([]string{"nginx", "direct"})
	if err != nil || len(chosen) != 2 || chosen[0].Name != direct || chosen[1].Name != "nginx" {
		t.Errorf("%v, %v", chosen, err)
	}
	if all, err := ByNames(nil); err != nil || len(all) != len(Peers) {
		t.Errorf("%d peers, %v", len(all), err)
	}
	if _, err := ByNames([]string{"traefik"}); err == nil || !strings.Contains(err.Error(), haproxy) {
		t.Errorf("%v", err)
	}
}
