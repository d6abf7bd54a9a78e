package method

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// explain says which field of a message JSON does not fit, and what would. It is
// asked once protojson has refused; it says nothing of what it does not know.
func explain(d protoreflect.MessageDescriptor, n *node, path string) error {
	if wellKnown(d) {
		return nil
	}
	if d.IsPlaceholder() {
		return fmt.Errorf("%snothing describes %s: pass --proto", prefix(path), d.FullName())
	}
	if n.kind != '{' {
		return fmt.Errorf("%sa %s is written as an object, {…}, not as %s", prefix(path), d.FullName(), n.what())
	}
	seen, oneofs := map[protoreflect.Name]bool{}, map[protoreflect.Name]string{}
	for i := range n.fields {
		m := &n.fields[i]
		if strings.HasPrefix(m.name, "[") {
			continue // an extension
		}
		f := fieldNamed(d, m.name)
		if f == nil {
			return fmt.Errorf("%s%s has no field %q; %s", prefix(path), d.FullName(), m.name, fieldsOf(d, m.name))
		}
		within := join(path, m.name)
		if seen[f.Name()] {
			return fmt.Errorf("%s: it is given twice", within)
		}
		seen[f.Name()] = true
		if m.value.kind == 'n' {
			continue
		}
		if of := f.ContainingOneof(); of != nil && !of.IsSynthetic() {
			if other := oneofs[of.Name()]; other != "" {
				return fmt.Errorf("%s%s and %s are two of the oneof %s: give one of them", prefix(path), other, m.name, of.Name())
			}
			oneofs[of.Name()] = m.name
		}
		if err := explainField(f, &m.value, within); err != nil {
			return err
		}
	}
	return nil
}

func explainField(f protoreflect.FieldDescriptor, n *node, path string) error {
	switch {
	case f.IsMap():
		if n.kind != '{' {
			return fmt.Errorf("%s: a map is written as an object, {…}, not as %s", path, n.what())
		}
		for i := range n.fields {
			key := node{kind: '"', text: n.fields[i].name}
			within := join(path, n.fields[i].name)
			if f.MapKey().Kind() != protoreflect.StringKind && f.MapKey().Kind() != protoreflect.BoolKind {
				if err := explainValue(f.MapKey(), &key, within); err != nil {
					return err
				}
			}
			if err := explainValue(f.MapValue(), &n.fields[i].value, within); err != nil {
				return err
			}
		}
		return nil
	case f.IsList():
		if n.kind != '[' {
			return fmt.Errorf("%s: a repeated field is written as an array, […], not as %s", path, n.what())
		}
		for i := range n.items {
			if err := explainValue(f, &n.items[i], fmt.Sprintf("%s[%d]", path, i)); err != nil {
				return err
			}
		}
		return nil
	}
	return explainValue(f, n, path)
}

func explainValue(f protoreflect.FieldDescriptor, n *node, path string) error {
	wants := ""
	switch kind := f.Kind(); kind {
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return explain(f.Message(), n, path)
	case protoreflect.BoolKind:
		if n.kind != 't' {
			wants = "true or false"
		}
	case protoreflect.StringKind:
		if n.kind != '"' {
			wants = "a string in quotes"
		}
	case protoreflect.BytesKind:
		if n.kind != '"' || !isBase64(n.text) {
			wants = "base64 in quotes"
		}
	case protoreflect.EnumKind:
		values := f.Enum().Values()
		if n.kind == '"' && values.ByName(protoreflect.Name(n.text)) != nil || n.kind == '0' && fits(n.text, -1<<31, 1<<31-1) {
			return nil
		}
		var names []string
		for i := range values.Len() {
			names = append(names, string(values.Get(i).Name()))
		}
		wants = "one of " + near(n.text, names)
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		if !isFloat(n, kind) {
			wants = "a number"
		}
	default:
		low, high := limits(kind)
		if (n.kind != '"' && n.kind != '0') || !fits(n.text, low, high) {
			wants = fmt.Sprintf("a whole number from %.0f to %.0f", low, high)
			if low == 0 && high > 1<<53 || low < -1<<53 {
				wants = "a whole number of 64 bits"
				if low == 0 {
					wants += ", not below 0"
				}
			}
		}
	}
	if wants == "" {
		return nil
	}
	kind := f.Kind().String()
	if f.Kind() == protoreflect.EnumKind {
		kind = string(f.Enum().FullName())
	}
	return fmt.Errorf("%s: %s does not fit: %s takes %s", path, n.what(), kind, wants)
}

// limits are the least and the largest of an integer kind.
func limits(kind protoreflect.Kind) (low, high float64) {
	switch kind {
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return math.MinInt32, math.MaxInt32
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return 0, math.MaxUint32
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return 0, math.MaxUint64
	}
	return math.MinInt64, math.MaxInt64
}

// fits says that a text is a whole number between bounds, as JSON writes it.
func fits(text string, low, high float64) bool {
	if !json.Valid([]byte(text)) || strings.TrimSpace(text) != text {
		return false
	}
	x, err := strconv.ParseFloat(text, 64)
	return err == nil && x == math.Trunc(x) && x >= low && x <= high
}

func isFloat(n *node, kind protoreflect.Kind) bool {
	if n.kind == '"' && (n.text == "NaN" || n.text == "Infinity" || n.text == "-Infinity") {
		return true
	}
	bits := 64
	if kind == protoreflect.FloatKind {
		bits = 32
	}
	_, err := strconv.ParseFloat(n.text, bits)
	return (n.kind == '0' || n.kind == '"') && err == nil && json.Valid([]byte(n.text))
}

func isBase64(text string) bool {
	text = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(text, "="))
	_, err := base64.RawStdEncoding.DecodeString(text)
	return err == nil
}

// fieldNamed finds a field by either of its names.
func fieldNamed(d protoreflect.MessageDescriptor, name string) protoreflect.FieldDescriptor {
	if f := d.Fields().ByJSONName(name); f != nil {
		return f
	}
	return d.Fields().ByTextName(name)
}

// fieldsOf lists the fields of a message for an error.
func fieldsOf(d protoreflect.MessageDescriptor, wanted string) string {
	var names []string
	for i := range d.Fields().Len() {
		names = append(names, d.Fields().Get(i).TextName())
	}
	if len(names) == 0 {
		return "it has no fields at all"
	}
	return "its fields are " + near(wanted, names)
}

// wellKnown says that JSON writes a message in a way of its own.
func wellKnown(d protoreflect.MessageDescriptor) bool {
	return d.FullName().Parent() == "google.protobuf" && d.FullName() != "google.protobuf.Empty"
}

func prefix(path string) string {
	if path == "" {
		return ""
	}
	return path + ": "
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
