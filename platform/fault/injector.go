package fault

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"time"
)

// recordsMax bounds what an Injector remembers; beyond it the oldest that are
// over are forgotten.
const recordsMax = 1000

// evidenceMax is how many victims are told of one by one.
const evidenceMax = 3

// Injected is a fault at one or more targets, as it stands.
type Injected struct {
	Name       string
	Target     string // as asked for
	Parameters map[string]string
	InjectedAt time.Time
	ClearedAt  time.Time // zero while it lasts
	Momentary  bool      // it was over as soon as it had begun, though not cleared yet
	// Proof adds up what the victims show. Its count is 0 as long as any one
	// of them shows nothing.
	Proof Proof
}

// Injector owns the faults of a platform. It is safe for concurrent use.
type Injector struct {
	victims Victims
	now     func() time.Time

	mu      sync.Mutex
	records []*record
}

// record is a fault at its targets. The Injector's lock guards it.
type record struct {
	injected Injected
	actives  []Active   // nil until it has begun everywhere
	ending   sync.Mutex // held by whoever clears it
}

// NewInjector returns an injector that acts on victims.
func NewInjector(v Victims) *Injector { return &Injector{victims: v, now: time.Now} }

// Inject begins a fault at its targets: one, several with commas between them,
// or patterns such as apiserver-*/etcd/endpoints, in which * stands for
// anything but a slash. It begins at all of them or at none, in the order in
// which the victims list them. An unknown name
// or target is an error that lists the valid ones.
func (i *Injector) Inject(ctx context.Context, name, target string, params map[string]string) (Injected, error) {
	kind, err := kindOf(name)
	if err != nil {
		return Injected{}, err
	}
	targets, err := match(kind, target, kind.Targets(i.victims))
	if err != nil {
		return Injected{}, err
	}
	r := &record{injected: Injected{Name: name, Target: target, Parameters: maps.Clone(params), InjectedAt: i.now(), Momentary: kind.Momentary}}
	if err := i.reserve(r); err != nil {
		return Injected{}, err
	}
	actives := make([]Active, 0, len(targets))
	for _, t := range targets {
		active, err := kind.Inject(ctx, i.victims, t, params)
		if err != nil {
			err = fmt.Errorf("inject %s at %s: %w", name, t, err)
			return Injected{}, errors.Join(err, i.abandon(context.WithoutCancel(ctx), r, actives))
		}
		actives = append(actives, active)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	r.actives = actives
	return r.now(), nil
}

// Clear ends a fault, named as it was injected; an empty target ends all of
// that name. It returns the last one ended.
func (i *Injector) Clear(ctx context.Context, name, target string) (Injected, error) {
	if _, err := kindOf(name); err != nil {
		return Injected{}, err
	}
	var cleared Injected
	found := false
	for _, r := range i.lasting() {
		if r.injected.Name != name || target != "" && r.injected.Target != target {
			continue
		}
		found = true
		if err := i.end(ctx, r); err != nil {
			return Injected{}, err
		}
		i.mu.Lock()
		cleared = r.now()
		i.mu.Unlock()
	}
	if !found {
		return Injected{}, fmt.Errorf("clear %s at %q: not injected; injected are: %s", name, target, i.describe())
	}
	return cleared, nil
}

// ClearAll ends every fault that lasts, the latest first.
func (i *Injector) ClearAll(ctx context.Context) error {
	var errs []error
	for _, r := range slices.Backward(i.lasting()) {
		errs = append(errs, i.end(ctx, r))
	}
	return errors.Join(errs...)
}

// List returns all faults in the order in which they were injected, cleared
// ones included.
func (i *Injector) List() []Injected {
	i.mu.Lock()
	defer i.mu.Unlock()
	all := make([]Injected, 0, len(i.records))
	for _, r := range i.records {
		if r.actives != nil {
			all = append(all, r.now())
		}
	}
	return all
}

// reserve takes the place of a fault, so that none is injected twice.
func (i *Injector) reserve(r *record) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, other := range i.records {
		if other.holds() && other.injected.Name == r.injected.Name && other.injected.Target == r.injected.Target {
			return fmt.Errorf("inject %s at %s: it is injected already", r.injected.Name, r.injected.Target)
		}
	}
	if len(i.records) >= recordsMax {
		oldest := slices.IndexFunc(i.records, func(r *record) bool { return !r.holds() })
		if oldest < 0 {
			return fmt.Errorf("inject %s: %d faults last already", r.injected.Name, recordsMax)
		}
		i.records = slices.Delete(i.records, oldest, oldest+1)
	}
	i.records = append(i.records, r)
	return nil
}

// abandon undoes a fault that began at some of its targets only.
func (i *Injector) abandon(ctx context.Context, r *record, begun []Active) error {
	var errs []error
	for _, active := range slices.Backward(begun) {
		errs = append(errs, active.Clear(ctx))
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.records = slices.DeleteFunc(i.records, func(other *record) bool { return other == r })
	return errors.Join(errs...)
}

func (i *Injector) end(ctx context.Context, r *record) error {
	r.ending.Lock()
	defer r.ending.Unlock()
	if i.ended(r) {
		return nil
	}
	// The last to begin ends first: it may have taken away the way to another.
	for _, active := range slices.Backward(r.actives) {
		if err := active.Clear(ctx); err != nil {
			return fmt.Errorf("clear %s at %s: %w", r.injected.Name, r.injected.Target, err)
		}
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	r.injected.Proof = r.proof() // What it shows from now on is not its doing.
	r.injected.ClearedAt = i.now()
	return nil
}

func (i *Injector) ended(r *record) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return !r.lasts()
}

// lasting are the faults that have begun and not ended.
func (i *Injector) lasting() []*record {
	i.mu.Lock()
	defer i.mu.Unlock()
	var lasting []*record
	for _, r := range i.records {
		if r.actives != nil && r.lasts() {
			lasting = append(lasting, r)
		}
	}
	return lasting
}

func (i *Injector) describe() string {
	var names []string
	for _, r := range i.lasting() {
		names = append(names, r.injected.Name+" at "+r.injected.Target)
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

func (r *record) lasts() bool { return r.injected.ClearedAt.IsZero() }

// holds says whether its victims are still under it, or are just being put so.
func (r *record) holds() bool { return r.lasts() && (!r.injected.Momentary || r.actives == nil) }

// now is the fault as it stands.
func (r *record) now() Injected {
	injected := r.injected
	if r.lasts() {
		injected.Proof = r.proof()
	}
	return injected
}

func (r *record) proof() Proof {
	var total Proof
	unproved := false
	shown := 0
	evidence := make([]string, len(r.actives))
	for n, active := range r.actives {
		p := active.Proof()
		if p.Count > 0 {
			shown++
		}
		total.Count += p.Count
		unproved = unproved || p.Count == 0
		evidence[n] = p.Evidence
	}
	if unproved {
		total.Count = 0
	}
	if len(evidence) > evidenceMax {
		total.Evidence = fmt.Sprintf("%d of %d victims show it; the first: %s", shown, len(evidence), evidence[0])
	} else {
		total.Evidence = strings.Join(evidence, "; ")
	}
	return total
}

func kindOf(name string) (Kind, error) {
	names := make([]string, len(Table))
	for n, k := range Table {
		if k.Name == name {
			return k, nil
		}
		names[n] = k.Name
	}
	return Kind{}, fmt.Errorf("no fault %q; the faults are %s", name, strings.Join(names, ", "))
}

// match resolves a target to those of the valid ones that it means, in the order
// of the valid ones. Each part must mean something.
func match(kind Kind, target string, valid []string) ([]string, error) {
	if len(valid) == 0 && kind.Without != "" {
		return nil, fmt.Errorf("%s has no targets: %s", kind.Name, kind.Without)
	}
	meant := make(map[string]bool)
	for part := range strings.SplitSeq(target, ",") {
		part = strings.TrimSpace(part)
		met := false
		for _, name := range valid {
			ok, err := path.Match(part, name)
			if err != nil {
				return nil, fmt.Errorf("target %q of %s: %w", part, kind.Name, err)
			}
			if ok || part == name {
				met = true
				meant[name] = true
			}
		}
		if !met {
			return nil, fmt.Errorf("%s has no target %q; its targets are %s", kind.Name, part, strings.Join(valid, ", "))
		}
	}
	var targets []string
	for _, name := range valid {
		if meant[name] {
			targets = append(targets, name)
		}
	}
	return targets, nil
}
