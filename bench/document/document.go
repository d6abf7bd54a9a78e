// Package document reads YAML files that people write, scenarios and arms, and
// refuses what is wrong in them with the file, the line, and what would be
// valid. What the values mean is decided by the packages that own them.
package document

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
)

// Refusal is one thing that is wrong in a file.
type Refusal struct {
	File string
	// Line counts from 1; 0 stands for the file as a whole.
	Line  int
	Wrong string
	// Valid says what would be accepted in its place; it may be empty.
	Valid string
}

// Error is one line: file, line, what is wrong, what would be valid.
func (r Refusal) Error() string {
	var b strings.Builder
	b.WriteString(r.File)
	if r.Line > 0 {
		fmt.Fprintf(&b, ":%d", r.Line)
	}
	b.WriteString(": " + r.Wrong)
	if r.Valid != "" {
		b.WriteString("; valid: " + r.Valid)
	}
	return b.String()
}

// Refusals gathers what is wrong in one file, so that a writer sees all of it
// at once. It is not safe for concurrent use.
type Refusals struct {
	File string
	list []Refusal
}

// Add notes a refusal. valid may be empty.
func (r *Refusals) Add(line int, valid, wrong string, args ...any) {
	r.list = append(r.list, Refusal{File: r.File, Line: line, Wrong: fmt.Sprintf(wrong, args...), Valid: valid})
}

// Err is nil when nothing was refused, else all refusals in the order of their
// lines, one a line.
func (r *Refusals) Err() error {
	slices.SortStableFunc(r.list, func(a, b Refusal) int { return a.Line - b.Line })
	errs := make([]error, 0, len(r.list))
	for _, refusal := range r.list {
		errs = append(errs, refusal)
	}
	return errors.Join(errs...)
}

// Text is a scalar and the line it stands on.
type Text struct {
	Value string
	Line  int
}

// UnmarshalYAML takes any scalar by its written form.
func (t *Text) UnmarshalYAML(node ast.Node) error {
	t.Line = node.GetToken().Position.Line
	switch n := node.(type) {
	case *ast.StringNode:
		t.Value = n.Value
	case *ast.LiteralNode:
		t.Value = strings.TrimSpace(n.Value.Value)
	case *ast.NullNode:
		t.Value = ""
	case *ast.MappingNode, *ast.MappingValueNode, *ast.SequenceNode:
		return &lineError{line: t.Line, text: "a single value is wanted here, not a list or a mapping"}
	default:
		t.Value = node.GetToken().Value
	}
	return nil
}

// Texts is a list of scalars; a single scalar is a list of one.
type Texts []Text

// UnmarshalYAML takes a sequence or a scalar.
func (t *Texts) UnmarshalYAML(node ast.Node) error {
	sequence, ok := node.(*ast.SequenceNode)
	if !ok {
		var one Text
		if err := one.UnmarshalYAML(node); err != nil {
			return err
		}
		*t = Texts{one}
		return nil
	}
	for _, value := range sequence.Values {
		var one Text
		if err := one.UnmarshalYAML(value); err != nil {
			return err
		}
		*t = append(*t, one)
	}
	return nil
}

type lineError struct {
	line int
	text string
}

func (e *lineError) Error() string { return e.text }

// Decode reads data into a struct; a field that the struct does not have, a
// value of the wrong shape and broken YAML are refusals.
func Decode(file string, data []byte, into any) error {
	err := yaml.UnmarshalWithOptions(data, into, yaml.Strict())
	if err == nil {
		return nil
	}
	refusals := Refusals{File: file}
	var placed *lineError
	var syntax yaml.Error
	switch {
	case errors.As(err, &placed):
		refusals.Add(placed.line, "", "%s", placed.text)
	case errors.As(err, &syntax) && syntax.GetToken() != nil:
		refusals.Add(syntax.GetToken().Position.Line, "", "%s", syntax.GetMessage())
	default:
		refusals.Add(0, "", "%s", err)
	}
	return refusals.Err()
}
