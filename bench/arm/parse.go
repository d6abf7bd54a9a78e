package arm

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"breakbank/bench/document"
)

// file is an arm as it is written.
type file struct {
	Name        document.Text  `yaml:"name"`
	Description document.Text  `yaml:"description"`
	Imitates    document.Text  `yaml:"imitates"`
	Base        document.Text  `yaml:"base"`
	Without     document.Texts `yaml:"without"`
	With        document.Texts `yaml:"with"`
	EtcdClient  document.Text  `yaml:"etcd_client"`
	Fallback    document.Text  `yaml:"fallback"`
	Standin     document.Text  `yaml:"standin"`
	Router      section        `yaml:"router"`
	Constants   []struct {
		Name   document.Text  `yaml:"name"`
		Value  document.Text  `yaml:"value"`
		ActsIn document.Texts `yaml:"acts_in"`
		Source document.Text  `yaml:"source"`
		Policy document.Text  `yaml:"policy"`
	} `yaml:"constants"`
}

// section is a part of the file that is passed on without being understood.
type section struct {
	line   int
	values settings
}

// UnmarshalYAML keeps a mapping as it stands.
func (s *section) UnmarshalYAML(node ast.Node) error {
	s.line = node.GetToken().Position.Line
	var values yaml.MapSlice
	if err := yaml.NodeToValue(node, &values); err != nil {
		return err
	}
	s.values = settings(values)
	return nil
}

// Parse reads an arm. One that has a base is that arm with the policies of
// without taken away, those of with added, and what else the file says in place
// of what the base says. The error lists everything that was refused, one line
// each; what the router refuses of its section is among it.
func Parse(name string, data []byte) (*Arm, error) {
	var f file
	if err := document.Decode(name, data, &f); err != nil {
		return nil, err
	}
	r := document.Refusals{File: name}
	a := f.start(&r)
	a.Name, a.Description, a.Imitates = f.Name.Value, f.Description.Value, f.Imitates.Value
	a.EtcdClient = oneOf(&r, f.EtcdClient, a.EtcdClient, "etcd_client", EtcdClients)
	a.Fallback = oneOf(&r, f.Fallback, a.Fallback, "fallback", Fallbacks)
	a.Standin = oneOf(&r, f.Standin, a.Standin, "standin", Standins)
	if a.Name == "" {
		r.Add(f.Name.Line, "a name such as linkerd-2017", "the arm has no name")
	}
	if a.Description == "" {
		r.Add(f.Description.Line, "a sentence", "the arm has no description")
	}
	a.settings = a.settings.over(f.Router.values)
	if len(a.settings) == 0 {
		r.Add(f.Router.line, "a router's configuration", "the arm has no router section")
	}
	f.constants(a, &r)
	if err := r.Err(); err != nil {
		return nil, err
	}
	if err := a.settle(); err != nil {
		return nil, fmt.Errorf("%s:%d: %w", name, cmp.Or(f.Router.line, f.Base.Line), err)
	}
	return a, nil
}

// start is what the file's own words are laid over: nothing, or its base.
func (f *file) start(r *document.Refusals) *Arm {
	if f.Base.Value == "" {
		if len(f.Without)+len(f.With) > 0 {
			r.Add(f.Name.Line, "base: guarded, say", "the arm is without or with a policy of a base, but names none")
		}
		return &Arm{}
	}
	// A file as the base of another would need a guard against circles.
	if !slices.Contains(Names(), f.Base.Value) {
		r.Add(f.Base.Line, strings.Join(Names(), ", "), "base is %q", f.Base.Value)
		return &Arm{}
	}
	base, err := Load(f.Base.Value)
	if err != nil {
		r.Add(f.Base.Line, "", "base: %v", err)
		return &Arm{}
	}
	if err := base.less(values(f.Without)); err != nil {
		r.Add(f.Base.Line, "", "without: %v", err)
	}
	if err := base.more(values(f.With)); err != nil {
		r.Add(f.Base.Line, "", "with: %v", err)
	}
	return base
}

func values(texts document.Texts) []string {
	plain := make([]string, len(texts))
	for i, t := range texts {
		plain[i] = t.Value
	}
	return plain
}

// constants reads the file's, each in place of the base's of the same name.
func (f *file) constants(a *Arm, r *document.Refusals) {
	for _, written := range f.Constants {
		value, err := time.ParseDuration(written.Value.Value)
		if err != nil || value <= 0 {
			r.Add(written.Value.Line, "a duration such as 500ms or 10s", "constant %s is %q", written.Name.Value, written.Value.Value)
		}
		if configured, ok := a.settings.at(written.Name.Value); ok && configured != written.Value.Value {
			r.Add(written.Value.Line, configured, "constant %s is %s, but the router section says %s",
				written.Name.Value, written.Value.Value, configured)
		}
		if written.Source.Value == "" {
			r.Add(written.Name.Line, "where it is published, or why it was chosen", "constant %s has no source", written.Name.Value)
		}
		if p := written.Policy.Value; p != "" && !slices.Contains(a.settings.policies(), p) {
			r.Add(written.Policy.Line, strings.Join(a.settings.policies(), ", "), "constant %s comes with the policy %s, which the arm does not have", written.Name.Value, p)
		}
		c := Constant{
			Name: written.Name.Value, Value: value, ActsIn: values(written.ActsIn),
			Source: written.Source.Value, Policy: written.Policy.Value,
		}
		if len(c.ActsIn) == 0 {
			c.ActsIn = nil
		}
		a.Constants = append(slices.DeleteFunc(slices.Clone(a.Constants), func(have Constant) bool { return have.Name == c.Name }), c)
	}
}

// oneOf is what the file says, or the base if the file says nothing.
func oneOf(r *document.Refusals, t document.Text, base, field string, valid []string) string {
	if t.Value == "" && base != "" {
		return base
	}
	if !slices.Contains(valid, t.Value) {
		r.Add(t.Line, strings.Join(valid, ", "), "%s is %q", field, t.Value)
	}
	return t.Value
}

// at is the value at a dotted path, as written.
func (s settings) at(path string) (string, bool) {
	values := yaml.MapSlice(s)
	keys := strings.Split(path, ".")
	for i, key := range keys {
		at := settings(values).index(key)
		if at < 0 {
			return "", false
		}
		if i == len(keys)-1 {
			return fmt.Sprint(values[at].Value), true
		}
		switch deeper := values[at].Value.(type) {
		case yaml.MapSlice:
			values = deeper
		case map[string]any:
			value, ok := deeper[keys[i+1]]
			return fmt.Sprint(value), ok && i+2 == len(keys)
		default:
			return "", false
		}
	}
	return "", false
}
