package deploy

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"breakbank/platform/registry"
)

// publisher writes one kind of record of what serves: Endpoints or slices. It
// compares what should be written with what it last wrote, not with what the
// registry holds. So it never writes anything twice, and a record that
// somebody else has changed stays as they left it until the pods or the
// Service change.
type publisher struct {
	resource string
	view     *view
	writer   writer
	// desired returns the records of a Service.
	desired func(*corev1.Service, []*corev1.Pod) []registry.Object
	// published are the contents last written, by record and Service.
	published map[string]map[string]string
}

// newPublishers starts from what the registry holds, so that taking over
// writes nothing that is right already.
func newPublishers(ctx context.Context, v *view, w writer) ([]*publisher, error) {
	publishers := []*publisher{
		{resource: "endpoints", desired: func(s *corev1.Service, pods []*corev1.Pod) []registry.Object {
			return []registry.Object{Endpoints(s, pods)}
		}},
		{resource: "endpointslices", desired: func(s *corev1.Service, pods []*corev1.Pod) []registry.Object {
			var records []registry.Object
			for _, slice := range Slices(s, pods) {
				records = append(records, slice)
			}
			return records
		}},
	}
	for _, p := range publishers {
		p.view, p.writer, p.published = v, w, map[string]map[string]string{}
		if err := p.recall(ctx); err != nil {
			return nil, err
		}
	}
	return publishers, nil
}

// recall takes what the registry holds for Services with a selector as
// published. Records of others are static and not ours.
func (p *publisher) recall(ctx context.Context) error {
	raws, _, err := p.writer.store.ListRaw(ctx, p.resource, registry.ReadOptions{})
	if err != nil {
		return err
	}
	held := map[string]registry.Object{}
	for _, raw := range raws {
		obj, err := registry.Decode(p.resource, raw.JSON)
		if err != nil {
			continue // Not what we would write: it will be written.
		}
		held[raw.Name] = obj
	}
	for _, service := range p.view.services() {
		if len(service.Spec.Selector) == 0 {
			continue
		}
		for name, obj := range held {
			if serviceOf(obj) == service.Name {
				p.remember(service.Name, name, contentOf(obj))
			}
		}
	}
	return nil
}

func (p *publisher) run(ctx context.Context) {
	loop(ctx, p.view.subscribe("services", "pods"), p.step)
}

func (p *publisher) step(ctx context.Context) time.Duration {
	var again time.Duration
	pods, gone := p.view.pods(), map[string]bool{}
	for service := range p.published {
		gone[service] = true
	}
	for _, service := range p.view.services() {
		if len(service.Spec.Selector) == 0 {
			continue
		}
		delete(gone, service.Name)
		if err := p.publish(ctx, service, pods); err != nil {
			again = p.writer.failed(ctx, "publishing "+p.resource, err)
		}
	}
	// A Service's records go with it, but one that was being written at that
	// moment would be left behind.
	for service := range gone {
		if err := p.withdraw(ctx, service, nil); err != nil {
			again = p.writer.failed(ctx, "withdrawing "+p.resource, err)
		}
	}
	return again
}

// publish writes the records of a Service that differ from those last written,
// and removes those that it has no more.
func (p *publisher) publish(ctx context.Context, service *corev1.Service, pods []*corev1.Pod) error {
	keep := map[string]bool{}
	for _, record := range p.desired(service, pods) {
		name, content := record.GetName(), contentOf(record)
		keep[name] = true
		if last, ok := p.published[service.Name][name]; ok && last == content {
			continue
		}
		if err := p.writer.put(ctx, p.resource, record); err != nil {
			return fmt.Errorf("service %s: %w", service.Name, err)
		}
		p.remember(service.Name, name, content)
	}
	return p.withdraw(ctx, service.Name, keep)
}

// withdraw removes the records of a Service but for those to keep.
func (p *publisher) withdraw(ctx context.Context, service string, keep map[string]bool) error {
	for name := range p.published[service] {
		if keep[name] {
			continue
		}
		if err := p.writer.remove(ctx, p.resource, name); err != nil {
			return fmt.Errorf("service %s: %w", service, err)
		}
		delete(p.published[service], name)
	}
	if len(p.published[service]) == 0 {
		delete(p.published, service)
	}
	return nil
}

func (p *publisher) remember(service, name, content string) {
	if p.published[service] == nil {
		p.published[service] = map[string]string{}
	}
	p.published[service][name] = content
}
