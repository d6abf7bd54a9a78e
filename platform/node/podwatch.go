package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"

	"breakbank/platform/apiserver/client"
)

const (
	// silenceLimit ends a watch that sends not even bookmarks, of which a
	// healthy one brings one a second.
	silenceLimit = 10 * time.Second
	// followPauseMin and followPauseMax bound the pause before pods are
	// followed anew; it doubles while that fails.
	followPauseMin = 50 * time.Millisecond
	followPauseMax = time.Second
)

// podWatch follows the pods assigned to the node, at the API server of the own
// zone while that works.
type podWatch struct {
	servers apiServers
	node    string
	tenants *tenants
	log     *slog.Logger
}

func (p *podWatch) run(ctx context.Context) {
	server, pause := 0, followPauseMin
	for ctx.Err() == nil {
		heard, err := p.follow(ctx, p.servers[server])
		if ctx.Err() != nil {
			return
		}
		// A version that is too old costs a new list, nothing else.
		level := slog.LevelWarn
		var answer *client.StatusError
		if errors.As(err, &answer) && answer.Code == http.StatusGone {
			level = slog.LevelInfo
		} else if heard {
			server = 0
		} else {
			server = (server + 1) % len(p.servers)
		}
		p.log.Log(ctx, level, "following pods", "error", err, "next_server", server)
		if heard {
			pause = followPauseMin
		}
		rest(ctx, pause)
		pause = min(2*pause, followPauseMax)
	}
}

// follow lists and then watches at one API server until that ends. It says
// whether the watch has brought anything.
func (p *podWatch) follow(ctx context.Context, server *client.Client) (heard bool, err error) {
	var list client.List
	err = limited(ctx, server, func(ctx context.Context, c *client.Client) error {
		list, err = c.List(ctx, "pods", "")
		return err
	})
	if err != nil {
		return false, err
	}
	pods := make([]*corev1.Pod, 0, len(list.Items))
	for _, item := range list.Items {
		if pod := p.decode(item); pod != nil {
			pods = append(pods, pod)
		}
	}
	p.tenants.sync(pods)

	// A server that does not even open the watch is silent, too.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	silence := time.AfterFunc(silenceLimit, cancel)
	defer silence.Stop()
	watch, err := server.Watch(ctx, "pods", list.ResourceVersion)
	if err != nil {
		return false, err
	}
	defer watch.Close()
	for {
		event, err := watch.Next()
		if err != nil {
			return heard && silence.Stop(), err
		}
		heard = true
		silence.Reset(silenceLimit)
		switch event.Type {
		case client.Added, client.Modified:
			if pod := p.decode(event.Object); pod != nil {
				p.tenants.changed(pod)
			}
		case client.Deleted:
			if pod := p.decode(event.Object); pod != nil {
				p.tenants.gone(pod.Name)
			}
		case client.Bookmark:
		case client.Error:
			return heard, event.Status()
		default:
			return heard, fmt.Errorf("watch pods: unknown event %q", event.Type)
		}
	}
}

// decode returns nil for what cannot be read and for the pods of other nodes.
func (p *podWatch) decode(raw json.RawMessage) *corev1.Pod {
	pod := &corev1.Pod{}
	if err := json.Unmarshal(raw, pod); err != nil {
		p.log.Error("a pod cannot be read and is passed over", "error", err)
		return nil
	}
	if pod.Spec.NodeName != p.node {
		return nil
	}
	return pod
}
