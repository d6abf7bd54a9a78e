package apiserver

import (
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"

	"breakbank/platform/registry"
)

// Types of watch events, as Kubernetes spells them.
const (
	added    = "ADDED"
	modified = "MODIFIED"
	deleted  = "DELETED"
	bookmark = "BOOKMARK"
	failed   = "ERROR"
)

// entry is an object as it is served: the stored bytes with its
// resourceVersion, and what selectors look at.
type entry struct {
	name     string
	revision int64
	json     []byte
	labels   labels.Set
	nodeName string // spec.nodeName, of pods
}

// event is one change of the cache, or a bookmark.
type event struct {
	kind     string // added, modified, deleted, bookmark
	revision int64
	object   entry
	before   entry // of a modified event: what the object was
}

func newEntry(raw registry.Raw) (entry, error) {
	served, err := raw.WithRevision()
	if err != nil {
		return entry{}, err
	}
	var object struct {
		Metadata struct {
			Labels labels.Set `json:"labels"`
		} `json:"metadata"`
		Spec json.RawMessage `json:"spec"`
	}
	if err := json.Unmarshal(served, &object); err != nil {
		return entry{}, fmt.Errorf("object %q: %w", raw.Name, err)
	}
	e := entry{name: raw.Name, revision: raw.Revision, json: served, labels: object.Metadata.Labels}
	var spec struct {
		NodeName string `json:"nodeName"`
	}
	// Only pods have the field; what other kinds keep under spec is not the
	// cache's business, well formed or not.
	if json.Unmarshal(object.Spec, &spec) == nil {
		e.nodeName = spec.NodeName
	}
	return e, nil
}

// selector picks objects by their labels and by the few fields that can be
// selected on.
type selector struct {
	labels labels.Selector
	fields fields.Selector
}

// selectableFields are those a fieldSelector may name.
var selectableFields = []string{"metadata.name", "metadata.namespace", "spec.nodeName"}

func parseSelector(labelSelector, fieldSelector string) (selector, error) {
	byLabel, err := labels.Parse(labelSelector)
	if err != nil {
		return selector{}, fmt.Errorf("labelSelector %q: %w", labelSelector, err)
	}
	byField, err := fields.ParseSelector(fieldSelector)
	if err != nil {
		return selector{}, fmt.Errorf("fieldSelector %q: %w", fieldSelector, err)
	}
	for _, requirement := range byField.Requirements() {
		if !selectable(requirement.Field) {
			return selector{}, fmt.Errorf("fieldSelector %q: field %q is not one of %v", fieldSelector, requirement.Field, selectableFields)
		}
	}
	return selector{labels: byLabel, fields: byField}, nil
}

func selectable(field string) bool {
	for _, f := range selectableFields {
		if f == field {
			return true
		}
	}
	return false
}

func (s selector) everything() bool { return s.labels.Empty() && s.fields.Empty() }

func (s selector) matches(e entry) bool {
	return s.everything() || s.labels.Matches(e.labels) && s.fields.Matches(fields.Set{
		"metadata.name":      e.name,
		"metadata.namespace": registry.Namespace,
		"spec.nodeName":      e.nodeName,
	})
}

// filter returns the event as a watcher with this selector must see it: an
// object that begins to match is added, one that ceases to is deleted. False
// means not at all.
func (s selector) filter(ev event) (event, bool) {
	if ev.kind == bookmark || s.everything() {
		return ev, true
	}
	now := ev.kind != deleted && s.matches(ev.object)
	before := ev.kind == deleted && s.matches(ev.object) || ev.kind == modified && s.matches(ev.before)
	switch {
	case now && !before:
		ev.kind = added
	case !now && before:
		ev.kind = deleted
	case !now && !before:
		return event{}, false
	}
	return ev, true
}
