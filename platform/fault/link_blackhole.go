package fault

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

var linkBlackhole = Kind{
	Name:    "link-blackhole",
	About:   "the connections established now carry nothing any more; nothing is closed, new ones work",
	Targets: linkNames,
	Inject: func(ctx context.Context, v Victims, target string, params map[string]string) (Active, error) {
		link, err := linkOf(v, target)
		if err != nil {
			return nil, err
		}
		if err := onlyKnown(params); err != nil {
			return nil, err
		}
		hole, err := link.Blackhole(ctx)
		if err != nil {
			return nil, err
		}
		if hole.Connections() == 0 {
			err := fmt.Errorf("no connection is established through %s", target)
			return nil, errors.Join(err, hole.Clear(context.WithoutCancel(ctx)))
		}
		return &darkLink{link: target, hole: hole, victims: v}, nil
	},
}

type darkLink struct {
	link    string
	hole    Hole
	victims Victims
}

func (d *darkLink) Clear(ctx context.Context) error { return d.hole.Clear(ctx) }

// Proof counts swallowed bytes, provided that the connections they vanished in
// were connections still.
func (d *darkLink) Proof() Proof {
	p := Proof{Evidence: fmt.Sprintf("%d bytes swallowed on %d connections, %d of them ESTABLISHED at both ends",
		d.hole.Swallowed(), d.hole.Connections(), d.hole.Established())}
	if d.hole.Established() > 0 {
		p.Count = d.hole.Swallowed()
	}
	if behind := d.behind(); behind != "" {
		p.Evidence += "; " + behind
	}
	p.Evidence += remarkOn(d.hole)
	return p
}

// behind compares an API server's cache of the dark kind with its cache of
// pods, whose connection to etcd is another one: etcd is at least as far as
// that.
func (d *darkLink) behind() string {
	parts := strings.Split(d.link, "/")
	server, kind := parts[0], parts[len(parts)-1]
	dark, light := d.victims.APIServerRevision(server, kind), d.victims.APIServerRevision(server, "pods")
	if dark == 0 || dark >= light {
		return ""
	}
	return fmt.Sprintf("its %s are at revision %d, etcd is at %d or later, as its pods show", kind, dark, light)
}
