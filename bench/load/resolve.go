package load

import (
	"context"
	"errors"
	"fmt"

	"breakbank/loadgen/method"
)

// Misuse is bad input: nothing was sent.
type Misuse struct{ Err error }

// Error implements error.
func (m Misuse) Error() string { return m.Err.Error() }

// Unwrap is for errors.Is.
func (m Misuse) Unwrap() error { return m.Err }

// errInterrupted is that there was nothing to keep.
var errInterrupted = errors.New("interrupted before the load began; nothing was measured")

// Resolve looks up what a spec only names: a method's descriptors, the bank's
// addresses. What has been looked up is not asked for again. Bad input is a
// Misuse; a target that cannot be reached is another error. A resolved spec may
// be changed (rate, duration, seed, objective) and run often.
func Resolve(ctx context.Context, s Spec) (Spec, error) {
	if err := s.Check(); err != nil {
		return s, err
	}
	var err error
	switch {
	case s.Bank != nil:
		s.Bank, err = s.Bank.resolve(ctx)
	case s.Method != nil:
		m := *s.Method
		options, failed := m.dataOptions(0)
		if failed != nil {
			return s, Misuse{failed}
		}
		m.Description, err = s.describe(ctx, m.Description, []string{m.Name}, options)
		s.Method = &m
	default:
		j := *s.Journeys
		script, failed := method.ParseScript(j.File, j.Text)
		if failed != nil {
			return s, Misuse{failed}
		}
		j.Text = script.Text() // with the files that it names, for workers of other machines
		j.Description, err = s.describe(ctx, j.Description, script.Methods(), method.DataOptions{})
		s.Journeys = &j
	}
	if err != nil {
		return s, err
	}
	// What does not fit together shows here, before anything is drawn.
	if _, err := assemble(s, 0); err != nil {
		return s, Misuse{err}
	}
	return s, nil
}

// describe fetches the descriptors of methods, once it is certain that every
// target is there.
func (s *Spec) describe(ctx context.Context, d Description, names []string, o method.DataOptions) (Description, error) {
	if len(d.Descriptors) > 0 {
		return d, nil
	}
	tlsConfig, err := s.TLS.config()
	if err != nil {
		return d, Misuse{err}
	}
	metadata, err := method.ParseMetadata(s.Metadata, o)
	if err != nil {
		return d, Misuse{err}
	}
	source := method.Source{
		TLS: tlsConfig, Authority: s.Authority, Metadata: metadata, Protos: d.Protos, ImportPaths: d.ImportPaths,
	}
	for _, target := range s.Targets {
		source.Target = target
		if err := method.Reach(ctx, source); err != nil {
			if ctx.Err() != nil {
				return d, errInterrupted
			}
			return d, err
		}
	}
	source.Target = s.Targets[0]
	methods, err := method.ResolveAll(ctx, source, names)
	if err != nil {
		if ctx.Err() != nil {
			return d, errInterrupted
		}
		return d, Misuse{err}
	}
	d.Descriptors = method.DescriptorSetOf(methods...)
	if len(d.Descriptors) == 0 {
		return d, fmt.Errorf("%s describes nothing", s.Targets[0])
	}
	return d, nil
}
