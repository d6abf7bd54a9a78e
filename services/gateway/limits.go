package gateway

import (
	"context"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"breakbank/services/bank"
)

const (
	// maxDepth is what the schema needs (customer, feed, amountMinor) and a few
	// fragments around it.
	maxDepth = 10
	// maxFields bounds the fields that one operation resolves, fragments
	// expanded and aliases counted. The largest useful query has 16.
	maxFields = 100
)

// limits refuses, before anything is resolved, an operation that asks too much.
type limits struct{}

func (limits) ExtensionName() string                          { return "limits" }
func (limits) Validate(schema graphql.ExecutableSchema) error { return nil }

func (limits) MutateOperationContext(_ context.Context, op *graphql.OperationContext) *gqlerror.Error {
	s := (&measurer{}).selection(op.Operation.SelectionSet)
	switch {
	case s.depth > maxDepth:
		return gqlerror.Wrap(bank.Errorf(bank.Invalid, "the query nests deeper than %d", maxDepth))
	case s.fields > maxFields:
		return gqlerror.Wrap(bank.Errorf(bank.Invalid, "the query asks for more than %d fields", maxFields))
	case s.deferred:
		// Answers go out in one piece, so nobody would collect the rest.
		return gqlerror.Wrap(bank.Errorf(bank.Invalid, "@defer is not supported"))
	case s.introspective:
		return gqlerror.Wrap(bank.Errorf(bank.Invalid, "introspection is off; the schema is services/gateway/schema.graphqls"))
	}
	return nil
}

// shape is how much a selection asks for.
type shape struct {
	depth         int // Levels, of fields and of fragments.
	fields        int // Fragments expanded; counts no further than maxFields + 1.
	deferred      bool
	introspective bool
}

// measurer measures each fragment once, however often it is spread: expanded,
// a few hundred bytes of fragments can stand for billions of fields. It relies
// on the validator, which has refused fragments that contain themselves.
type measurer struct {
	fragments map[*ast.FragmentDefinition]shape
}

func (m *measurer) selection(set ast.SelectionSet) shape {
	var all shape
	for _, one := range set {
		var s shape
		switch one := one.(type) {
		case *ast.Field:
			s = m.selection(one.SelectionSet)
			s.fields++
			s.introspective = s.introspective || one.Name == "__schema" || one.Name == "__type"
		case *ast.InlineFragment:
			s = m.selection(one.SelectionSet)
			s.deferred = s.deferred || one.Directives.ForName("defer") != nil
		case *ast.FragmentSpread:
			s = m.fragment(one.Definition)
			s.deferred = s.deferred || one.Directives.ForName("defer") != nil
		}
		all.depth = max(all.depth, s.depth+1)
		all.fields = min(all.fields+s.fields, maxFields+1)
		all.deferred = all.deferred || s.deferred
		all.introspective = all.introspective || s.introspective
	}
	return all
}

func (m *measurer) fragment(definition *ast.FragmentDefinition) shape {
	if s, measured := m.fragments[definition]; measured {
		return s
	}
	s := m.selection(definition.SelectionSet)
	if m.fragments == nil {
		m.fragments = make(map[*ast.FragmentDefinition]shape)
	}
	m.fragments[definition] = s
	return s
}
