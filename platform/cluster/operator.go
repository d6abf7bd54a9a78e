package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	appsv1 "k8s.io/api/apps/v1"

	"breakbank/platform/apiserver/client"
	"breakbank/platform/deploy"
)

const (
	// rolloutLimit bounds how long an operator waits for a rollout.
	rolloutLimit = 60 * time.Second
	// rolloutPoll is how often the operator looks.
	rolloutPoll = 25 * time.Millisecond
	// operatorCallLimit bounds one call to an API server before the operator
	// tries the next.
	operatorCallLimit = 12 * time.Second
)

// operator does by API server what a person with kubectl does. It meets the
// same darkness as everybody else.
type operator struct {
	servers []*client.Client
	// known are the services that can be deployed though they do not exist.
	known []ServiceSpec
}

func (p *Platform) startOperator(context.Context) error {
	p.operator = &operator{known: p.topology.Services}
	for _, s := range p.apiServers {
		p.operator.servers = append(p.operator.servers, client.New("http://"+s.address))
	}
	p.onClose("operator", p.operator.Close)
	return nil
}

func (o *operator) Close() error {
	for _, s := range o.servers {
		s.Close()
	}
	return nil
}

// deploy rolls a service to a version and waits until it is complete. A
// service that does not exist yet is created.
func (o *operator) deploy(ctx context.Context, service, version string) error {
	if why := deploy.CheckVersion(version); why != "" {
		return status.Errorf(codes.InvalidArgument, "version %q %s", version, why)
	}
	d, err := o.deployment(ctx, service)
	var refused *client.StatusError
	switch {
	case errors.As(err, &refused) && refused.Code == http.StatusNotFound:
		return o.create(ctx, service, version)
	case err != nil:
		return err
	}
	spec := map[string]any{"template": map[string]any{"metadata": map[string]any{
		"annotations": map[string]any{deploy.AnnotationVersion: version},
	}}}
	// Services are not looked at where there are instances: their connection may
	// be dark, and that must not hold up a rollout.
	if d.Spec.Replicas != nil && *d.Spec.Replicas == 0 {
		if spec["replicas"], err = o.revive(ctx, service); err != nil {
			return err
		}
	}
	return o.patchAndWait(ctx, service, map[string]any{"spec": spec}, "")
}

// revive brings back what a deployment without instances lacks: its Service, if
// somebody has deleted that. It says how many replicas it is to have.
func (o *operator) revive(ctx context.Context, name string) (replicas int, err error) {
	i := slices.IndexFunc(o.known, func(s ServiceSpec) bool { return s.Name == name })
	if i < 0 {
		return 0, nil
	}
	err = o.anyServer(ctx, func(ctx context.Context, c *client.Client) error {
		_, err := c.Create(ctx, "services", service(name))
		return err
	})
	var refused *client.StatusError
	isThere := errors.As(err, &refused) && refused.Code == http.StatusConflict
	if err != nil && !isThere {
		return 0, fmt.Errorf("create service %s: %w", name, err)
	}
	return len(o.known[i].Nodes), nil
}

// create deploys a service that is known and does not exist yet.
func (o *operator) create(ctx context.Context, name, version string) error {
	i := slices.IndexFunc(o.known, func(s ServiceSpec) bool { return s.Name == name })
	if i < 0 {
		var names []string
		for _, s := range o.known {
			names = append(names, s.Name)
		}
		return fmt.Errorf("no service %q; known are %s", name, strings.Join(names, ", "))
	}
	spec := o.known[i]
	spec.Version = version
	err := o.anyServer(ctx, func(ctx context.Context, c *client.Client) error {
		if _, err := c.Create(ctx, "services", service(name)); err != nil {
			return err
		}
		_, err := c.Create(ctx, "deployments", deployment(spec))
		return err
	})
	if err != nil {
		return fmt.Errorf("create %s: %w", name, err)
	}
	return o.awaitRollout(ctx, name)
}

// rollback rolls a service to the version it had before the current one and
// returns that version.
func (o *operator) rollback(ctx context.Context, service string) (string, error) {
	d, err := o.deployment(ctx, service)
	if err != nil {
		return "", err
	}
	previous := d.Annotations[deploy.AnnotationPreviousVersion]
	if previous == "" {
		return "", fmt.Errorf("roll back %s: it has had one version only", service)
	}
	return previous, o.deploy(ctx, service, previous)
}

// scale sets the replicas of a service and waits until they are there.
func (o *operator) scale(ctx context.Context, service string, replicas int32) error {
	if why := deploy.CheckReplicas(replicas); why != "" {
		return status.Errorf(codes.InvalidArgument, "%d replicas: the number %s", replicas, why)
	}
	return o.patchAndWait(ctx, service, map[string]any{"spec": map[string]any{"replicas": replicas}}, "scale")
}

// deleteService deletes a Service; its Endpoints go in the same transaction.
func (o *operator) deleteService(ctx context.Context, service string) error {
	err := o.anyServer(ctx, func(ctx context.Context, c *client.Client) error {
		return c.Delete(ctx, "services", service)
	})
	if err != nil {
		return fmt.Errorf("delete service %s: %w", service, err)
	}
	return nil
}

func (o *operator) patchAndWait(ctx context.Context, service string, patch map[string]any, subresource string) error {
	body, err := json.Marshal(patch)
	if err != nil {
		return fmt.Errorf("change deployment %s: %w", service, err)
	}
	err = o.anyServer(ctx, func(ctx context.Context, c *client.Client) error {
		_, err := c.MergePatch(ctx, "deployments", service, body, subresource)
		return err
	})
	if err != nil {
		return fmt.Errorf("change deployment %s: %w", service, err)
	}
	return o.awaitRollout(ctx, service)
}

// awaitRollout waits until a deployment's pods are what it asks for.
func (o *operator) awaitRollout(ctx context.Context, service string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, rolloutLimit,
		fmt.Errorf("roll out %s: not complete after %v", service, rolloutLimit))
	defer cancel()
	poll := time.NewTicker(rolloutPoll)
	defer poll.Stop()
	for {
		d, err := o.deployment(ctx, service)
		if err == nil && deploy.Complete(d) {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-poll.C:
		}
	}
}

func (o *operator) deployment(ctx context.Context, service string) (*appsv1.Deployment, error) {
	d := &appsv1.Deployment{}
	err := o.anyServer(ctx, func(ctx context.Context, c *client.Client) error {
		raw, err := c.Get(ctx, "deployments", service)
		if err != nil {
			return err
		}
		return json.Unmarshal(raw, d)
	})
	if err != nil {
		return nil, fmt.Errorf("read deployment %s: %w", service, err)
	}
	return d, nil
}

// anyServer calls one API server after the other until one has an answer. An
// answer with a client error (4xx) is an answer.
func (o *operator) anyServer(ctx context.Context, call func(context.Context, *client.Client) error) error {
	var last error
	for _, c := range o.servers {
		tried, cancel := context.WithTimeout(ctx, operatorCallLimit)
		err := call(tried, c)
		cancel()
		if err == nil {
			return nil
		}
		var refused *client.StatusError
		if errors.As(err, &refused) && refused.Code < 500 {
			return err
		}
		last = err
	}
	return fmt.Errorf("none of %d API servers could: %w", len(o.servers), last)
}
