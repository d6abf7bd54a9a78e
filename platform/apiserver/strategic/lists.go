package strategic

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
)

// listChange is what a patch says of a list.
type listChange struct {
	// add are elements to be merged into it, or directives about elements.
	add []any
	// remove are scalars that it is to lose.
	remove []any
	// order lists the elements that the writer of the patch knows, in their
	// order; without it they are those of add.
	order   []any
	ordered bool
}

// apply changes the list that a field of an object of type t is.
func (l listChange) apply(was []any, t reflect.Type, name string) ([]any, error) {
	f, err := fieldOf(t, name)
	if err != nil {
		return nil, err
	}
	if !f.merged && !l.ordered && l.remove == nil {
		return plain(l.add).([]any), nil
	}
	e, err := elementsOf(f, was, l.add, l.order)
	if err != nil {
		return nil, err
	}
	live := slices.DeleteFunc(slices.Clone(was), func(v any) bool { return slices.ContainsFunc(l.remove, func(r any) bool { return e.same(v, r) }) })
	add := l.add
	if e.keyed() {
		if live, add, err = e.direct(live, add); err != nil {
			return nil, err
		}
	}
	known := add
	if l.ordered {
		known = l.order
		if !e.inOrder(add, known) {
			return nil, fmt.Errorf("its elements are not in the order of %s", orderPrefix)
		}
	}
	merged := slices.Clone(live)
	if !f.merged && l.add != nil {
		merged = nil
	}
	for _, v := range add {
		i := e.find(merged, v)
		switch {
		case i < 0:
			merged = append(merged, plain(v))
		case e.keyed():
			if merged[i], err = mergeObjects(merged[i].(object), v.(object), e.of); err != nil {
				return nil, err
			}
		}
	}
	return e.arrange(merged, known, was), nil
}

// elements is what those of a list have in common.
type elements struct {
	of  reflect.Type
	key string // what objects are told apart by; empty for scalars
}

func elementsOf(f field, lists ...[]any) (elements, error) {
	t := f.of
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Slice {
		return elements{}, fmt.Errorf("%s is no list", t)
	}
	e := elements{of: t.Elem()}
	objects, scalars := false, false
	for _, list := range lists {
		for _, v := range list {
			o, is := v.(object)
			if _, nested := v.([]any); nested || v == nil {
				return e, errors.New("an element is a list, or nothing")
			}
			objects, scalars = objects || is, scalars || !is
			if _, has := o[f.key]; is && f.key != "" && !has && o[howKey] != howReplace {
				return e, fmt.Errorf("an element has no %s", f.key)
			}
		}
	}
	if objects && (scalars || f.key == "") {
		return e, errors.New("its elements have nothing to be told apart by")
	}
	if objects {
		e.key = f.key
	}
	return e, nil
}

func (e elements) keyed() bool { return e.key != "" }

func (e elements) same(a, b any) bool {
	if e.keyed() {
		ao, _ := a.(object)
		bo, _ := b.(object)
		return ao != nil && bo != nil && ao[e.key] == bo[e.key]
	}
	return a == b
}

func (e elements) find(in []any, v any) int {
	return slices.IndexFunc(in, func(other any) bool { return e.same(v, other) })
}

// direct carries out the directives among elements: what is deleted leaves the
// list, and replace empties it. It returns the rest of both.
func (e elements) direct(live, add []any) (left, rest []any, err error) {
	replace := false
	rest = []any{}
	for _, v := range add {
		switch how, given := v.(object)[howKey]; {
		case how == howDelete:
			live = slices.DeleteFunc(live, func(other any) bool { return e.same(v, other) })
		case how == howReplace:
			replace = true
		case given:
			return nil, nil, fmt.Errorf("%s is %v; of an element it may be %s or %s", howKey, how, howDelete, howReplace)
		default:
			rest = append(rest, v)
		}
	}
	if replace {
		live = nil
	}
	return live, rest, nil
}

// inOrder says whether elements are among those known, in the same order.
func (e elements) inOrder(some, known []any) bool {
	from := 0
	for _, v := range some {
		i := e.find(known[from:], v)
		if i < 0 {
			return len(known) == 0
		}
		from += i + 1
	}
	return true
}

// arrange puts a merged list in order. Those that the writer of the patch knows
// come in that one's order. The others keep theirs, and each stays before the
// first of the known ones that it was before.
func (e elements) arrange(merged, known, was []any) []any {
	var first, others []any
	for _, v := range merged {
		if e.find(known, v) >= 0 {
			first = append(first, v)
		} else {
			others = append(others, v)
		}
	}
	slices.SortStableFunc(first, func(a, b any) int { return cmp.Compare(e.find(known, a), e.find(known, b)) })
	all := []any{}
	for len(first) > 0 && len(others) > 0 {
		next := &first
		if a, b := e.find(was, others[0]), e.find(was, first[0]); a >= 0 && a < b {
			next = &others
		}
		all, *next = append(all, (*next)[0]), (*next)[1:]
	}
	return append(append(all, first...), others...)
}
