package registry

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"breakbank/platform/rawjson"
)

// Raw is an object as it lies in etcd.
type Raw struct {
	Name     string
	Revision int64  // etcd's modification revision: the object's resourceVersion
	JSON     []byte // as stored, without a resourceVersion; not to be modified
}

// Encode returns the JSON to store for an object: with its kind and API
// version, and without a resourceVersion, which etcd keeps.
//
// Endpoints with no subsets are written with an explicit "subsets": null. That
// is what Kubernetes served in 2017 for a Service scaled to zero, and what the
// routers of that day could not read; today's types would leave the field out.
func Encode(obj Object) ([]byte, error) {
	kind, err := kindOfObject(obj)
	if err != nil {
		return nil, err
	}
	stored, ok := obj.DeepCopyObject().(Object)
	if !ok {
		return nil, fmt.Errorf("encode %s %q: the copy of a %T is no object", kind.Kind, obj.GetName(), obj)
	}
	stored.SetResourceVersion("")
	stored.GetObjectKind().SetGroupVersionKind(schema.GroupVersionKind{Group: kind.Group, Version: kind.Version, Kind: kind.Kind})
	out, err := json.Marshal(stored)
	if err != nil {
		return nil, fmt.Errorf("encode %s %q: %w", kind.Kind, obj.GetName(), err)
	}
	if endpoints, ok := stored.(*Endpoints); ok && len(endpoints.Subsets) == 0 {
		out = append(bytes.TrimSuffix(out, []byte("}")), `,"subsets":null}`...)
	}
	return out, nil
}

// Decode returns the typed object for stored JSON of the given resource.
func Decode(resource string, stored []byte) (Object, error) {
	kind, ok := KindOf(resource)
	if !ok {
		return nil, fmt.Errorf("decode: %w %q", ErrUnknownResource, resource)
	}
	obj := kind.New()
	if err := json.Unmarshal(stored, obj); err != nil {
		return nil, fmt.Errorf("decode %s: %w", kind.Kind, err)
	}
	return obj, nil
}

// WithRevision returns the stored JSON with metadata.resourceVersion set to
// the object's revision. Everything else stays as it lies in etcd, byte for
// byte: readers must see what was stored, not what today's types make of it.
func (r Raw) WithRevision() ([]byte, error) {
	version := strconv.AppendQuote(nil, strconv.FormatInt(r.Revision, 10))
	metaFrom, metaTo, found, err := field(r.JSON, "metadata")
	if err != nil {
		return nil, fmt.Errorf("object %q: %w", r.Name, err)
	}
	if !found {
		return nil, fmt.Errorf("object %q: no metadata", r.Name)
	}
	meta := r.JSON[metaFrom:metaTo]
	from, to, found, err := field(meta, "resourceVersion")
	if err != nil {
		return nil, fmt.Errorf("object %q: metadata: %w", r.Name, err)
	}
	out := make([]byte, 0, len(r.JSON)+len(`"resourceVersion":,`)+len(version))
	if found {
		out = append(out, r.JSON[:metaFrom+from]...)
		out = append(out, version...)
		return append(out, r.JSON[metaFrom+to:]...), nil
	}
	body := bytes.TrimLeft(meta[1:], " \t\r\n")
	out = append(out, r.JSON[:metaFrom]...)
	out = append(out, `{"resourceVersion":`...)
	out = append(out, version...)
	if body[0] != '}' {
		out = append(out, ',')
	}
	out = append(out, body...)
	return append(out, r.JSON[metaTo:]...), nil
}

// field finds a member of a JSON object and returns where its value begins
// and ends.
func field(object []byte, name string) (from, to int, found bool, err error) {
	s := rawjson.Scan(object)
	if s.Next() != '{' {
		return 0, 0, false, fmt.Errorf("not a JSON object")
	}
	err = s.Members(func(member []byte) error {
		mark := s.Mark()
		err := s.Skip()
		if !found && string(member) == name {
			from, to, found = mark, mark+len(s.Since(mark)), true
		}
		return err
	})
	if err != nil {
		return 0, 0, false, err
	}
	return from, to, found, nil
}

func kindOfObject(obj Object) (Kind, error) {
	for _, k := range Kinds {
		if k.Is(obj) {
			return k, nil
		}
	}
	return Kind{}, fmt.Errorf("%w for a %T", ErrUnknownResource, obj)
}

func (r Raw) decodeInto(into Object) error {
	if err := json.Unmarshal(r.JSON, into); err != nil {
		return fmt.Errorf("decode %q: %w", r.Name, err)
	}
	into.SetResourceVersion(strconv.FormatInt(r.Revision, 10))
	return nil
}
