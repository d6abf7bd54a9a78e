// Package strategic applies strategic merge patches, Kubernetes' own kind: what
// kubectl sends for edit, apply, set and patch. It is a merge patch in which
// lists are merged as well, where the type says by which key, with directives for
// what a merge cannot say. It is pure.
//
// The semantics are those of Kubernetes' "Update API Objects in Place Using
// kubectl patch" and of its design proposal "preserve order in strategic merge
// patch". The test holds them to k8s.io/apimachinery's implementation, which
// reads OpenAPI as well and would make the program 2.6 MB larger.
package strategic

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Directives in a patch. The last two are followed by a slash and the name of
// the list that they are about.
const (
	howKey       = "$patch"
	retainKey    = "$retainKeys"
	orderPrefix  = "$setElementOrder"
	removePrefix = "$deleteFromPrimitiveList"

	howDelete  = "delete"
	howReplace = "replace"
)

type object = map[string]any

// Merge applies a patch to an object in JSON. The type of like says how its
// fields are merged; it is a struct, or a pointer to one, with Kubernetes' tags.
func Merge(current, patch []byte, like any) ([]byte, error) {
	var was, change object
	if err := errors.Join(read(current, &was), read(patch, &change)); err != nil {
		return nil, err
	}
	merged, err := mergeObjects(was, change, reflect.TypeOf(like))
	if err != nil {
		return nil, err
	}
	return json.Marshal(merged)
}

// read keeps numbers as they are written.
func read(text []byte, into *object) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return d.Decode(into)
}

// mergeObjects changes an object of type t, which stays as it is.
func mergeObjects(was, change object, t reflect.Type) (object, error) {
	switch how, given := change[howKey]; {
	case how == howReplace:
		return plain(change).(object), nil
	case how == howDelete:
		return object{}, nil
	case given:
		return nil, fmt.Errorf("%s is %v; of an object it may be %s or %s", howKey, how, howReplace, howDelete)
	}
	merged := maps.Clone(was)
	if merged == nil {
		merged = object{}
	}
	if keep, given := change[retainKey]; given {
		if err := retain(merged, change, keep); err != nil {
			return nil, err
		}
	}
	for _, name := range fieldsOf(change) {
		if err := mergeField(merged, change, name, t); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return merged, nil
}

// fieldsOf are the fields that a patch is about, also those of which it has a
// directive only.
func fieldsOf(change object) []string {
	names := map[string]bool{}
	for name := range change {
		if prefix, of, about := strings.Cut(name, "/"); about && (prefix == orderPrefix || prefix == removePrefix) {
			name = of
		}
		names[name] = name != retainKey
	}
	maps.DeleteFunc(names, func(_ string, about bool) bool { return !about })
	return slices.Sorted(maps.Keys(names))
}

// retain drops the fields that a patch does not list as kept.
func retain(from, change object, keep any) error {
	list, ok := keep.([]any)
	if !ok {
		return fmt.Errorf("%s is no list", retainKey)
	}
	for name, value := range change {
		if value != nil && !strings.HasPrefix(name, "$") && !slices.Contains(list, any(name)) {
			return fmt.Errorf("%s does not list %s, which the patch sets", retainKey, name)
		}
	}
	maps.DeleteFunc(from, func(name string, _ any) bool { return !slices.Contains(list, any(name)) })
	return nil
}

// mergeField changes one field of an object of type t.
func mergeField(of, change object, name string, t reflect.Type) error {
	value, given := change[name]
	order, ordered := change[orderPrefix+"/"+name]
	removed, removes := change[removePrefix+"/"+name]
	if ordered || removes {
		var l listChange
		var err error
		if l.add, err = listOf(name, value); err != nil {
			return err
		}
		if l.order, err = listOf(orderPrefix, order); err != nil {
			return err
		}
		if l.remove, err = listOf(removePrefix, removed); err != nil {
			return err
		}
		was, err := listOf("it", of[name])
		if err != nil {
			return err
		}
		if of[name] == nil && !given {
			return nil
		}
		l.ordered = ordered
		of[name], err = l.apply(was, t, name)
		return err
	}
	switch value := value.(type) {
	case nil:
		delete(of, name)
		return nil
	case object:
		if was, both := of[name].(object); both {
			f, err := fieldOf(t, name)
			if err != nil {
				return err
			}
			of[name], err = mergeObjects(was, value, f.of)
			return err
		}
		if value[howKey] != nil {
			delete(of, name) // There is nothing to delete or to replace.
			return nil
		}
	case []any:
		if was, both := of[name].([]any); both {
			var err error
			of[name], err = listChange{add: value}.apply(was, t, name)
			return err
		}
	}
	of[name] = plain(value)
	return nil
}

// listOf is a list that may be missing.
func listOf(what string, value any) ([]any, error) {
	list, ok := value.([]any)
	if value != nil && !ok {
		return nil, fmt.Errorf("%s is no list", what)
	}
	return list, nil
}

// plain is what a patch puts where nothing was: without nulls and directives.
func plain(value any) any {
	switch value := value.(type) {
	case object:
		kept := object{}
		for name, v := range value {
			inner, directive := v.(object)
			if v != nil && !strings.HasPrefix(name, "$") && (!directive || inner[howKey] == nil) {
				kept[name] = plain(v)
			}
		}
		return kept
	case []any:
		kept := []any{}
		for _, v := range value {
			if inner, ok := v.(object); !ok || inner[howKey] == nil {
				kept = append(kept, plain(v))
			}
		}
		return kept
	}
	return value
}

// field is what a type says of a field.
type field struct {
	of reflect.Type
	// merged says that a list is merged, by key where its elements are objects;
	// else it is replaced.
	merged bool
	key    string
}

// fieldOf looks a field up by its name in JSON.
func fieldOf(t reflect.Type, name string) (field, error) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() == reflect.Map {
		return field{of: t.Elem()}, nil
	}
	if f, ok := structField(t, name); ok {
		strategies := strings.Split(f.Tag.Get("patchStrategy"), ",")
		return field{of: f.Type, merged: slices.Contains(strategies, "merge"), key: f.Tag.Get("patchMergeKey")}, nil
	}
	return field{}, fmt.Errorf("%s has no such field", t)
}

func structField(t reflect.Type, name string) (reflect.StructField, bool) {
	if t.Kind() != reflect.Struct {
		return reflect.StructField{}, false
	}
	for i := range t.NumField() {
		f := t.Field(i)
		switch tag, _, _ := strings.Cut(f.Tag.Get("json"), ","); {
		case tag == name:
			return f, true
		case f.Anonymous && tag == "": // Its fields are the struct's own.
			if inner, ok := structField(f.Type, name); ok {
				return inner, true
			}
		}
	}
	return reflect.StructField{}, false
}
