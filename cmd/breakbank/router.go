package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/goccy/go-yaml"

	"breakbank/bench/arm"
	"breakbank/platform/apiserver/client"
	"breakbank/platform/router"
	"breakbank/platform/router/discovery"
	"breakbank/platform/router/feed"
	"breakbank/platform/router/governor"
	"breakbank/platform/router/handover"
)

// routerCommand runs the router alone, in front of any gRPC services.
type routerCommand struct {
	Listen         string        `default:"127.0.0.1:4140" help:"Where requests come in."`
	Seed           string        `type:"path" placeholder:"FILE" help:"Find instances in a file: 'services: {name: [host:port, ...]}'. It is read again when it changes, and on SIGHUP."`
	KubeAPI        []string      `name:"kube-api" placeholder:"URL" help:"Find instances at Kubernetes API servers, the nearest first."`
	Kube           kubeFlags     `embed:"" prefix:"kube-"`
	EtcdEndpoints  []string      `placeholder:"ADDR" help:"Find instances in the etcd of a breakbank platform."`
	DefaultService string        `placeholder:"NAME" help:"Whose a request is that names no service, but the address it dialled, in :authority."`
	Arm            string        `help:"What the router is made of: a name, or a YAML file. Default: what of 'guarded' makes sense alone."`
	Dataplane      string        `help:"How bytes are moved, whatever the arm says: ${dataplanes}."`
	Admin          string        `default:"127.0.0.1:4191" help:"Where the admin page and /metrics are; empty for nowhere."`
	SnapshotDir    string        `type:"path" placeholder:"DIR" help:"Keep the last good table here, and start from it."`
	Zone           string        `help:"The zone that this router is in."`
	Node           string        `help:"What this router is called. Default: the host's name."`
	DrainLimit     time.Duration `default:"30s" help:"How long requests under way may take when the router stops or is replaced."`
	LogLevel       slog.Level    `default:"info" help:"debug, info, warn or error."`
}

// kubeFlags say how Kubernetes API servers are reached and as whom.
type kubeFlags struct {
	Namespace string `placeholder:"NAME" help:"Namespace whose services go by their bare names; '*' reads all of them, and those outside 'default' are name.namespace."`
	TokenFile string `type:"path" placeholder:"FILE" help:"Bearer token for the API servers; read again for each request."`
	CAFile    string `name:"ca-file" type:"path" placeholder:"FILE" help:"Who may sign the API servers' certificates. Default: whom the system trusts."`
	CertFile  string `type:"path" placeholder:"FILE" help:"Client certificate for the API servers."`
	KeyFile   string `type:"path" placeholder:"FILE" help:"Its key."`
}

func (k kubeFlags) options() client.Options {
	return client.Options{
		Namespace: k.Namespace, TokenFile: k.TokenFile, CAFile: k.CAFile, CertFile: k.CertFile, KeyFile: k.KeyFile,
	}
}

// plain says that API servers are asked without any of it.
func (k kubeFlags) plain() bool { return k == kubeFlags{} }

// seedPolicies are those of an arm that make sense for a table that a person
// wrote, which is to be believed as it stands.
var seedPolicies = []string{"keep-last", "identity", "panic"}

// neverAlone are policies that a router alone cannot have: the node agent acts
// on some, and others need peers or a list that it is not given.
var neverAlone = []string{"config-snapshot", "make-before-break", "gossip", "seed"}

func (c *routerCommand) Run(ctx context.Context, t terminal) error {
	sockets, err := handover.Inherit()
	if err != nil {
		return err
	}
	config, err := c.config()
	if err != nil {
		return usageError{err}
	}
	effective, err := router.ParseConfig(config)
	if err != nil {
		return usageError{err}
	}
	shown, err := yaml.Marshal(effective)
	if err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	if c.Node == "" {
		c.Node, _ = os.Hostname() // without one it has no name, which does no harm
	}
	p := &routerProcess{
		command: c, terminal: t, sockets: sockets, shown: string(shown), feed: effective.Discovery,
		log: slog.New(slog.NewTextHandler(t.err, &slog.HandlerOptions{Level: c.LogLevel})),
	}
	p.options = router.Options{
		Node: c.Node, Zone: c.Zone, Config: config, DefaultService: c.DefaultService,
		SnapshotDir: c.SnapshotDir, Log: p.log, Seed: rand.Uint64(),
	}
	if err := c.discovery(p); err != nil {
		return usageError{err}
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(roleGCPercent)
	}
	governed, stop := context.WithCancel(ctx)
	var governing sync.WaitGroup
	governing.Go(func() { governor.Run(governed) })
	defer governing.Wait()
	defer stop()
	return p.run(ctx)
}

// kinds lists the ways of discovery that were asked for.
func (c *routerCommand) kinds() (asked []string) {
	if c.Seed != "" {
		asked = append(asked, "--seed")
	}
	if len(c.KubeAPI) > 0 {
		asked = append(asked, "--kube-api")
	}
	if len(c.EtcdEndpoints) > 0 {
		asked = append(asked, "--etcd-endpoints")
	}
	return asked
}

// canFeed says whether a router alone can have its table from there.
func (c *routerCommand) canFeed(kind string) bool {
	switch kind {
	case "", feed.Own:
		return true
	case "client-go":
		return len(c.KubeAPI) > 0 && c.Kube.plain()
	default:
		return false
	}
}

// discovery fills in where the table comes from.
func (c *routerCommand) discovery(p *routerProcess) error {
	switch asked := c.kinds(); {
	case len(asked) == 0:
		return errors.New("where are the instances? say one of --seed FILE, --kube-api URL and --etcd-endpoints ADDR")
	case len(asked) > 1:
		return fmt.Errorf("%s: say only one of them", strings.Join(asked, " and "))
	case !c.canFeed(p.feed):
		return fmt.Errorf("arm %s finds instances by %s, which a router alone cannot with %s", c.Arm, p.feed, asked[0])
	}
	if err := c.kubernetes(p); err != nil {
		return err
	}
	if len(c.EtcdEndpoints) > 0 {
		p.options.EtcdEndpoints = func() []string { return c.EtcdEndpoints }
	}
	if c.Seed != "" {
		seed, err := discovery.OpenSeedFile(c.Seed)
		if err != nil {
			return err
		}
		p.seed, p.options.Sources = seed, []discovery.Source{seed.Source()}
	}
	return nil
}

// kubernetes fills in the API servers.
func (c *routerCommand) kubernetes(p *routerProcess) error {
	if len(c.KubeAPI) == 0 && !c.Kube.plain() {
		return errors.New("--kube-namespace and its kin are for --kube-api")
	}
	if c.Kube.Namespace != client.AllNamespaces {
		p.options.Namespace = c.Kube.Namespace
	}
	for _, base := range c.KubeAPI {
		if u, err := url.Parse(base); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			return fmt.Errorf("--kube-api %s: want a URL such as http://127.0.0.1:8001", base)
		}
		if p.feed != feed.Own {
			p.options.APIServers = append(p.options.APIServers, base) // it reads them itself
			continue
		}
		source, err := discovery.NewAPIServerWith(base, c.Kube.options())
		if err != nil {
			return err
		}
		p.options.Sources = append(p.options.Sources, source)
	}
	return nil
}

// config is the router section of the arm as YAML, with what the flags change
// in it.
func (c *routerCommand) config() ([]byte, error) {
	name := c.Arm
	if name == "" {
		name = "guarded"
	}
	a, err := arm.Load(name)
	if err != nil {
		return nil, err
	}
	var section yaml.MapSlice
	if err := yaml.Unmarshal([]byte(a.Router), &section); err != nil {
		return nil, fmt.Errorf("read the router section of %s: %w", name, err)
	}
	if c.Arm == "" {
		set(&section, "policies", c.sensible(section.ToMap()["policies"]))
	}
	if c.Dataplane != "" {
		set(&section, "dataplane", c.Dataplane)
	}
	text, err := yaml.Marshal(section)
	if err != nil {
		return nil, fmt.Errorf("write the router section of %s: %w", name, err)
	}
	return text, nil
}

// sensible are those of an arm's policies that make sense for this router.
func (c *routerCommand) sensible(policies any) []string {
	kept := []string{}
	all, _ := policies.([]any) // ParseConfig says what is wrong with anything else
	for _, policy := range all {
		name := fmt.Sprint(policy)
		switch {
		case c.Seed != "" && !slices.Contains(seedPolicies, name):
		case slices.Contains(neverAlone, name):
		case name == "snapshot" && c.SnapshotDir == "":
		default:
			kept = append(kept, name)
		}
	}
	return kept
}

func set(section *yaml.MapSlice, key string, value any) {
	for i := range *section {
		if (*section)[i].Key == key {
			(*section)[i].Value = value
			return
		}
	}
	*section = append(*section, yaml.MapItem{Key: key, Value: value})
}
