package router

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/goccy/go-yaml"

	"breakbank/platform/router/balance"
	"breakbank/platform/router/discovery"
	"breakbank/platform/router/feed"
	"breakbank/platform/router/overload"
)

// minRetryWindow is the shortest that is still counted in whole slots.
const minRetryWindow = 100 * time.Millisecond

// Waits a configuration does not state.
const (
	// defaultBindingTimeout is linkerd's (router `bindingTimeoutMs`, 10 s).
	defaultBindingTimeout = 10 * time.Second
	// defaultBetterTableWait is how long a request waits for a table that has
	// a live endpoint, where some policy can bring one:
	// as long as a call waits that could not be sent (platform/rpc).
	defaultBetterTableWait = 500 * time.Millisecond
)

// Config is what an arm chooses for the router: how it moves bytes, which
// instance it picks and what it believes. It is the `router:` section of an
// arm and the `config.yaml` of the ConfigMap `router`.
type Config struct {
	DataPlane string   `yaml:"dataplane"`
	Strategy  string   `yaml:"strategy"`
	Parser    string   `yaml:"parser"`
	Policies  []string `yaml:"policies"`

	// Discovery is where the table comes from, one of feed.Kinds; left out,
	// the product's own, which is what Parser and Policies are about.
	Discovery string `yaml:"discovery"`

	// WatchNull is what a record that the parser throws on does to a watch:
	// "drop" it and go on, or "freeze" the table for good.
	WatchNull string `yaml:"watch_null"`

	// BindingTimeout is how long a request waits while there is no table at
	// all.
	BindingTimeout time.Duration `yaml:"binding_timeout"`

	// BetterTableWait is how long a request waits when there is a table but
	// no live endpoint in it. Zero fails at once. Left out, it is 500 ms only
	// for an arm with the policy heartbeat, which looks for a better table
	// elsewhere and can find one in that time. For every other arm it is
	// zero: nothing but the source that it believes anyway could bring one,
	// so waiting would mostly make the same failure later. An arm that wants
	// the wait for everything says so.
	BetterTableWait *time.Duration `yaml:"better_table_wait"`

	Retries Retries `yaml:"retries"`
	// Overlays are those beside retries and ejection.
	Overlays Overlays `yaml:"overlays"`

	// Ejection configures outlier ejection; without it nothing is ejected.
	Ejection *balance.EjectionConfig `yaml:"ejection"`
}

// Retries says what a router may spend on second attempts. Attempts that
// never reached a server are free in every kind.
type Retries struct {
	Kind    string        `yaml:"kind"`
	Max     int           `yaml:"max"`
	Ratio   float64       `yaml:"ratio"`
	MinPerS float64       `yaml:"min_per_s"`
	Window  time.Duration `yaml:"window"`
}

// Overlays are what applies to every strategy beside ejection and retries. One
// that is not named is off; `{}` turns one on with its defaults.
type Overlays struct {
	balance.OverlayConfig `yaml:",inline"`
	overload.Config       `yaml:",inline"`
}

// ParseConfig reads YAML, fills in what it leaves out and checks every name
// against its table. An unknown key or name is an error that lists the valid
// ones: an arm that silently lost a policy would be measured as another arm.
func ParseConfig(data []byte) (Config, error) {
	var c Config
	if err := yaml.UnmarshalWithOptions(data, &c, yaml.Strict()); err != nil {
		return Config{}, fmt.Errorf("read the router's configuration: %w", err)
	}
	c = c.withDefaults()
	if err := c.validate(); err != nil {
		return Config{}, fmt.Errorf("check the router's configuration: %w", err)
	}
	return c, nil
}

// Has reports whether the named policy is one of the configuration's. The
// node agent asks it for make-before-break and config-snapshot.
func (c Config) Has(policy string) bool { return slices.Contains(c.Policies, policy) }

func (c Config) validate() error {
	var errs []error
	check := func(what, got string, valid []string) {
		if !slices.Contains(valid, got) {
			errs = append(errs, fmt.Errorf("%s %q is not one of %v", what, got, valid))
		}
	}
	check("dataplane", c.DataPlane, DataPlanes())
	check("strategy", c.Strategy, balance.Names())
	check("parser", c.Parser, discovery.ParserNames())
	check("discovery", c.Discovery, feed.Names())
	check("watch_null", c.WatchNull, []string{discovery.DropNull, discovery.FreezeOnNull})
	errs = append(errs, c.checkDiscovery(), c.checkClientSide())
	for i, p := range c.Policies {
		check("policy", p, discovery.PolicyNames())
		if slices.Contains(c.Policies[:i], p) {
			errs = append(errs, fmt.Errorf("policy %q is named twice", p))
		}
	}
	check("retries kind", c.Retries.Kind, balance.BudgetNames())
	if c.Retries.Window < minRetryWindow {
		errs = append(errs, fmt.Errorf("retries window %v is shorter than %v", c.Retries.Window, minRetryWindow))
	}
	if c.BindingTimeout <= 0 {
		errs = append(errs, fmt.Errorf("binding_timeout %v is not positive", c.BindingTimeout))
	}
	if *c.BetterTableWait < 0 {
		errs = append(errs, fmt.Errorf("better_table_wait %v is negative", *c.BetterTableWait))
	}
	if c.Ejection != nil {
		if err := c.Ejection.Validate(); err != nil {
			errs = append(errs, fmt.Errorf("ejection: %w", err))
		}
	}
	errs = append(errs, c.Overlays.OverlayConfig.Validate(), c.Overlays.Config.Validate())
	if c.Overlays.Hedging != nil && c.DataPlane != DataPlaneFrames {
		errs = append(errs, fmt.Errorf("overlay hedging needs dataplane %s: %s cannot have two attempts under way", DataPlaneFrames, c.DataPlane))
	}
	return errors.Join(errs...)
}

// withDefaults fills in what was left out: the arm linkerd-2017 without
// retries and ejection.
func (c Config) withDefaults() Config {
	c.DataPlane = cmp.Or(c.DataPlane, DataPlaneFrames)
	c.Strategy = cmp.Or(c.Strategy, "p2c-ewma")
	c.Parser = cmp.Or(c.Parser, "linkerd-2017")
	c.Discovery = cmp.Or(c.Discovery, feed.Own)
	c.WatchNull = cmp.Or(c.WatchNull, discovery.DropNull)
	c.BindingTimeout = cmp.Or(c.BindingTimeout, defaultBindingTimeout)
	if c.BetterTableWait == nil {
		var wait time.Duration
		if c.Has("heartbeat") {
			wait = defaultBetterTableWait
		}
		c.BetterTableWait = &wait
	}
	c.Retries.Kind = cmp.Or(c.Retries.Kind, balance.BudgetNone)
	c.Retries.Max = cmp.Or(c.Retries.Max, balance.NaiveRetries)
	c.Retries.Ratio = cmp.Or(c.Retries.Ratio, balance.BudgetRatio)
	c.Retries.MinPerS = cmp.Or(c.Retries.MinPerS, balance.BudgetMinPerS)
	c.Retries.Window = cmp.Or(c.Retries.Window, balance.BudgetWindow)
	c.Overlays = Overlays{c.Overlays.OverlayConfig.WithDefaults(), c.Overlays.Config.WithDefaults()}
	if c.Ejection != nil {
		e := c.Ejection.WithDefaults()
		c.Ejection = &e
	}
	return c
}
