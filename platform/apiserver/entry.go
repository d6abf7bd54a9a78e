package apiserver

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"

	"breakbank/platform/rawjson"
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
	// line is the event as it goes to watchers, encoded once for all of them;
	// nil for a bookmark, and where a selector makes another event of it.
	line []byte
}

// encode writes the event's line, of which the object's JSON becomes a part: it
// lies in memory once.
func (ev *event) encode() {
	ev.line = appendLine(nil, ev.kind, ev.object.json)
	from := len(ev.line) - len(ev.object.json) - len(lineEnd)
	ev.object.json = ev.line[from : len(ev.line)-len(lineEnd) : len(ev.line)-len(lineEnd)]
}

// lineEnd closes an event of a watch.
const lineEnd = "}\n"

// appendLine writes an event as watchers get it.
func appendLine(to []byte, kind string, object []byte) []byte {
	to = slices.Grow(to, len(object)+32)
	to = append(to, `{"type":"`...)
	to = append(to, kind...)
	to = append(to, `","object":`...)
	to = append(to, object...)
	return append(to, lineEnd...)
}

func newEntry(raw registry.Raw) (entry, error) {
	served, err := raw.WithRevision()
	if err != nil {
		return entry{}, err
	}
	e := entry{name: raw.Name, revision: raw.Revision, json: served}
	if err := e.look(); err != nil {
		return entry{}, fmt.Errorf("object %q: %w", raw.Name, err)
	}
	return e, nil
}

// look reads from the object what selectors look at.
func (e *entry) look() error {
	s := rawjson.Scan(e.json)
	err := s.Members(func(name []byte) error {
		switch string(name) {
		case "metadata":
			return s.Members(func(name []byte) error {
				if string(name) != "labels" {
					return s.Skip()
				}
				return e.readLabels(&s)
			})
		case "spec":
			return e.readSpec(&s)
		}
		return s.Skip()
	})
	if err != nil {
		return err
	}
	return s.End()
}

func (e *entry) readLabels(s *rawjson.Scanner) error {
	return s.Members(func(name []byte) error {
		key := string(name)
		value, err := s.Text()
		if e.labels == nil {
			e.labels = labels.Set{}
		}
		e.labels[key] = string(value)
		return err
	})
}

// readSpec reads the field that pods have; what other kinds keep under spec is
// not the cache's business, well formed or not.
func (e *entry) readSpec(s *rawjson.Scanner) error {
	if s.Next() != '{' {
		return s.Skip()
	}
	return s.Members(func(name []byte) error {
		if string(name) != "nodeName" || s.Next() != '"' {
			return s.Skip()
		}
		text, err := s.Text()
		e.nodeName = string(text)
		return err
	})
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
		ev.kind, ev.line = added, nil
	case !now && before:
		ev.kind, ev.line = deleted, nil
	case !now && !before:
		return event{}, false
	}
	return ev, true
}
