package arm

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"breakbank/bench/document"
	"breakbank/platform/router"
)

// file is an arm as it is written.
type file struct {
	Name        document.Text `yaml:"name"`
	Description document.Text `yaml:"description"`
	Imitates    document.Text `yaml:"imitates"`
	EtcdClient  document.Text `yaml:"etcd_client"`
	Fallback    document.Text `yaml:"fallback"`
	Standin     document.Text `yaml:"standin"`
	Router      section       `yaml:"router"`
	Constants   []struct {
		Name   document.Text  `yaml:"name"`
		Value  document.Text  `yaml:"value"`
		ActsIn document.Texts `yaml:"acts_in"`
		Source document.Text  `yaml:"source"`
	} `yaml:"constants"`
}

// section is a part of the file that is passed on without being understood.
type section struct {
	line   int
	values yaml.MapSlice
}

// UnmarshalYAML keeps a mapping as it stands.
func (s *section) UnmarshalYAML(node ast.Node) error {
	s.line = node.GetToken().Position.Line
	return yaml.NodeToValue(node, &s.values)
}

// Parse reads an arm. The error lists everything that was refused, one line
// each; what the router refuses of its section is among it.
func Parse(name string, data []byte) (*Arm, error) {
	var f file
	if err := document.Decode(name, data, &f); err != nil {
		return nil, err
	}
	r := document.Refusals{File: name}
	a := &Arm{
		Name: f.Name.Value, Description: f.Description.Value, Imitates: f.Imitates.Value,
		EtcdClient: oneOf(&r, f.EtcdClient, "etcd_client", EtcdClients),
		Fallback:   oneOf(&r, f.Fallback, "fallback", Fallbacks),
		Standin:    oneOf(&r, f.Standin, "standin", Standins),
	}
	if a.Name == "" {
		r.Add(f.Name.Line, "a name such as linkerd-2017", "the arm has no name")
	}
	if a.Description == "" {
		r.Add(f.Description.Line, "a sentence", "the arm has no description")
	}
	if len(f.Router.values) == 0 {
		r.Add(f.Router.line, "a router's configuration", "the arm has no router section")
	}
	for _, written := range f.Constants {
		value, err := time.ParseDuration(written.Value.Value)
		if err != nil || value <= 0 {
			r.Add(written.Value.Line, "a duration such as 500ms or 10s", "constant %s is %q", written.Name.Value, written.Value.Value)
		}
		if configured, ok := f.Router.at(written.Name.Value); ok && configured != written.Value.Value {
			r.Add(written.Value.Line, configured, "constant %s is %s, but the router section says %s",
				written.Name.Value, written.Value.Value, configured)
		}
		if written.Source.Value == "" {
			r.Add(written.Name.Line, "where it is published, or why it was chosen", "constant %s has no source", written.Name.Value)
		}
		c := Constant{Name: written.Name.Value, Value: value, Source: written.Source.Value}
		for _, phase := range written.ActsIn {
			c.ActsIn = append(c.ActsIn, phase.Value)
		}
		a.Constants = append(a.Constants, c)
	}
	if err := r.Err(); err != nil {
		return nil, err
	}
	text, err := yaml.Marshal(f.Router.values)
	if err != nil {
		return nil, fmt.Errorf("%s: writing the router section: %w", name, err)
	}
	if _, err := router.ParseConfig(text); err != nil {
		return nil, fmt.Errorf("%s:%d: the router section: %w", name, f.Router.line, err)
	}
	a.Router = string(text)
	return a, nil
}

func oneOf(r *document.Refusals, t document.Text, field string, valid []string) string {
	if !slices.Contains(valid, t.Value) {
		r.Add(t.Line, strings.Join(valid, ", "), "%s is %q", field, t.Value)
	}
	return t.Value
}

// at is the value at a dotted path, as written.
func (s section) at(path string) (string, bool) {
	values := s.values
	keys := strings.Split(path, ".")
	for i, key := range keys {
		at := slices.IndexFunc(values, func(item yaml.MapItem) bool { return item.Key == key })
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
