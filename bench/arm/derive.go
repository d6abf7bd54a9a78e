package arm

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"breakbank/platform/router"
	"breakbank/platform/router/discovery"
)

// settings is a router section as it was written: passed on, merged and
// changed, but not understood beyond its policies.
type settings yaml.MapSlice

const policiesKey = "policies"

func (s settings) index(key string) int {
	return slices.IndexFunc(s, func(item yaml.MapItem) bool { return item.Key == key })
}

// policies are those that the section names.
func (s settings) policies() []string {
	i := s.index(policiesKey)
	if i < 0 {
		return nil
	}
	list, _ := s[i].Value.([]any)
	names := make([]string, len(list))
	for k, name := range list {
		names[k] = fmt.Sprint(name)
	}
	return names
}

// with returns the section with one key set; a key that is there stays where
// it is.
func (s settings) with(key string, value any) settings {
	changed := slices.Clone(s)
	if i := changed.index(key); i >= 0 {
		changed[i].Value = value
		return changed
	}
	return append(changed, yaml.MapItem{Key: key, Value: value})
}

// over lays a section over this one, key by key.
func (s settings) over(other settings) settings {
	for _, item := range other {
		s = s.with(fmt.Sprint(item.Key), item.Value)
	}
	return s
}

func (s settings) withPolicies(names []string) settings {
	list := make([]any, len(names))
	for i, name := range names {
		list[i] = name
	}
	return s.with(policiesKey, list)
}

// less takes policies from an arm, and the constants that came with them.
func (a *Arm) less(policies []string) error {
	have := a.settings.policies()
	for _, p := range policies {
		if !slices.Contains(have, p) {
			return fmt.Errorf("it cannot be without the policy %q, which it does not have: it has %s", p, strings.Join(have, ", "))
		}
	}
	taken := func(p string) bool { return slices.Contains(policies, p) }
	a.settings = a.settings.withPolicies(slices.DeleteFunc(have, taken))
	a.Constants = slices.DeleteFunc(slices.Clone(a.Constants), func(c Constant) bool { return taken(c.Policy) })
	return nil
}

// more gives an arm policies, and the constants that ours has with them.
func (a *Arm) more(policies []string) error {
	have := a.settings.policies()
	for _, p := range policies {
		if slices.Contains(have, p) {
			return fmt.Errorf("it has the policy %q already", p)
		}
		if !slices.Contains(discovery.PolicyNames(), p) {
			return fmt.Errorf("policy %q is not one of %v", p, discovery.PolicyNames())
		}
	}
	a.settings = a.settings.withPolicies(slices.Concat(have, policies))
	ours, err := Load(source)
	if err != nil {
		return err
	}
	a.Constants = slices.Clone(a.Constants)
	for _, c := range ours.Constants {
		if slices.Contains(policies, c.Policy) {
			a.Constants = append(a.Constants, c)
		}
	}
	return nil
}

// source is the arm that has the constants of policies, with their sources.
const source = "guarded"

// settle has the router read what the arm now says.
func (a *Arm) settle() error {
	text, err := yaml.Marshal(yaml.MapSlice(a.settings))
	if err != nil {
		return fmt.Errorf("writing the router section: %w", err)
	}
	if _, err := router.ParseConfig(text); err != nil {
		return fmt.Errorf("the router section: %w", err)
	}
	a.Router = string(text)
	return nil
}
