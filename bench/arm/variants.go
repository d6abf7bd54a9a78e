package arm

import (
	"errors"
	"fmt"
	"slices"

	"breakbank/platform/router/discovery"
)

// ablations is what variants are made of. A policy taken from ours says what it
// was good for; one given to the router of the day says what it would have
// saved.
var ablations = []struct {
	base string
	// withoutEach makes a variant for each policy that the base has.
	withoutEach bool
	// with makes a variant for each of these.
	with []string
}{
	{base: "guarded", withoutEach: true},
	{base: "linkerd-2017", with: []string{"snapshot", "config-snapshot", "quarantine", "heartbeat", "make-before-break"}},
}

// variant is an arm that differs from another by one policy.
type variant struct {
	name, base    string
	without, with string // a policy; one of them is ""
}

// variants lists them in the order of ablations. A base that cannot be read has
// none; whoever reads the base is told why.
func variants() []variant {
	var all []variant
	for _, a := range ablations {
		if a.withoutEach {
			base, err := Load(a.base)
			if err != nil {
				continue
			}
			for _, policy := range base.settings.policies() {
				all = append(all, variant{name: a.base + "-no-" + policy, base: a.base, without: policy})
			}
		}
		for _, policy := range a.with {
			all = append(all, variant{name: a.base + "-plus-" + policy, base: a.base, with: policy})
		}
	}
	return all
}

// load makes the variant of its base.
func (v variant) load() (*Arm, error) {
	a, err := Load(v.base)
	if err != nil {
		return nil, err
	}
	a.Name = v.name
	if v.without != "" {
		a.Description = fmt.Sprintf("As %s, less the policy %s (%s).", v.base, v.without, about(v.without))
		err = a.less([]string{v.without})
	} else {
		a.Description = fmt.Sprintf("As %s, with the policy %s besides (%s).", v.base, v.with, about(v.with))
		err = a.more([]string{v.with})
	}
	a.Imitates = "nothing; it says what one policy is worth."
	if err = errors.Join(err, a.settle()); err != nil {
		return nil, fmt.Errorf("arm %s: %w", v.name, err)
	}
	return a, nil
}

// about is what a policy says of itself.
func about(policy string) string {
	i := slices.IndexFunc(discovery.Policies, func(p discovery.Policy) bool { return p.Name() == policy })
	if i < 0 {
		return "unknown"
	}
	return discovery.Policies[i].About()
}
