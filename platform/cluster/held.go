package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/goccy/go-yaml"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"breakbank/platform/part"
	adminv1 "breakbank/proto/admin/v1"
)

// stateDir, below a part's directory, outlives its data.
const stateDir = "part"

// nextLife is what a part's process is to do when it starts again: what was
// decided about it before its end. It lies in the part's directory.
type nextLife struct {
	// Generation names the settings, which change the topology file.
	Generation string `yaml:"generation,omitempty"`
	Settings   string `yaml:"settings,omitempty"`
	// Wipe removes the part's data first.
	Wipe bool `yaml:"wipe,omitempty"`
	// Hold keeps the part from its work.
	Hold bool `yaml:"hold,omitempty"`
}

func nextLifePath(dir, name string) string { return filepath.Join(dir, stateDir, name+".yaml") }

// readNextLife reads what was decided for a part; nothing was if there is no
// file.
func readNextLife(dir, name string) (nextLife, error) {
	var n nextLife
	text, err := os.ReadFile(nextLifePath(dir, name))
	if errors.Is(err, os.ErrNotExist) {
		return n, nil
	}
	if err == nil {
		err = yaml.UnmarshalWithOptions(text, &n, yaml.Strict())
	}
	if err != nil {
		return n, fmt.Errorf("read what %s is to do: %w", name, err)
	}
	return n, nil
}

// write decides it, so that it is either the old or the new one, whenever the
// process ends.
func (n nextLife) write(dir, name string) error {
	path := nextLifePath(dir, name)
	text, err := yaml.Marshal(n)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o700)
	}
	if err == nil {
		err = os.WriteFile(path+".next", text, 0o600)
	}
	if err == nil {
		err = os.Rename(path+".next", path)
	}
	if err != nil {
		return fmt.Errorf("write what %s is to do: %w", name, err)
	}
	return nil
}

// decide takes in how a part is to be ended.
func decide(dir, name string, how *adminv1.EndPartRequest) error {
	n, err := readNextLife(dir, name)
	if err != nil {
		return err
	}
	if how.GetGeneration() != "" {
		n.Generation, n.Settings = how.GetGeneration(), how.GetSettings()
	}
	// What was decided lasts until a reset: a part that is held and is killed on
	// top of that comes back held.
	n.Wipe, n.Hold = n.Wipe || how.GetWipe(), how.GetHold() || n.Hold && how.GetGeneration() == ""
	return n.write(dir, name)
}

// begin carries out what was decided about the data.
func (n nextLife) begin(dir, name string) error {
	if !n.Wipe || n.Hold {
		return nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("wipe the data of %s: %w", name, err)
	}
	var errs []error
	for _, e := range entries {
		if e.Name() != stateDir {
			errs = append(errs, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("wipe the data of %s: %w", name, err)
	}
	n.Wipe = false
	return n.write(dir, name)
}

// With returns the topology with settings, YAML, in place of its own where they
// name them.
func (t Topology) With(settings string) (Topology, error) {
	text, err := t.YAML()
	if err != nil {
		return t, err
	}
	var before, next Topology // They share nothing with this one.
	if err := errors.Join(yaml.Unmarshal(text, &before), yaml.Unmarshal(text, &next)); err != nil {
		return t, fmt.Errorf("copy the topology: %w", err)
	}
	if strings.TrimSpace(settings) != "" {
		if err := yaml.UnmarshalWithOptions([]byte(settings), &next, yaml.Strict()); err != nil {
			return t, fmt.Errorf("settings: %w", err)
		}
	}
	if err := before.mayBecome(next); err != nil {
		return t, fmt.Errorf("settings: %w", err)
	}
	return next, next.check()
}

// mayBecome refuses settings that change where processes are and what they own:
// a part would come back as somebody else, or wipe what is not its own.
func (t Topology) mayBecome(next Topology) error {
	for _, of := range []struct {
		key  string
		same bool
	}{
		{"layout", t.Layout == next.Layout},
		{"parts", reflect.DeepEqual(t.Parts, next.Parts)},
		{"bind", t.Bind == next.Bind},
		{"token_file", t.TokenFile == next.TokenFile},
		{"dir", t.Dir == next.Dir},
		{"log_dir", t.LogDir == next.LogDir},
		{"admin_address", t.AdminAddress == next.AdminAddress},
		{"generation", t.Generation == next.Generation},
		{"remove_when_orphaned", t.RemoveWhenOrphaned == next.RemoveWhenOrphaned},
	} {
		if !of.same {
			return fmt.Errorf("%s cannot be changed by a reset", of.key)
		}
	}
	return nil
}

// errNotContainers refuses what needs somebody else to start processes again
// with their data kept.
func (p *Platform) errNotContainers() error {
	if p.topology.layout() != LayoutContainers {
		return fmt.Errorf("this platform's layout is %s; only one in containers comes back by itself", p.topology.layout())
	}
	return nil
}

// reset brings the platform back empty, with other settings. The control
// process ends last, and by itself.
func (p *Platform) reset(ctx context.Context, generation, settings string) error {
	if err := p.errNotContainers(); err != nil {
		return err
	}
	if generation == "" {
		return errors.New("a generation must be named")
	}
	next, err := p.file.With(settings)
	if err != nil {
		return err
	}
	release, err := p.endAlone()
	if err != nil {
		return err
	}
	// Half a reset is no platform: it goes on when whoever asked has gone.
	ctx = context.WithoutCancel(ctx)
	how := &adminv1.EndPartRequest{Generation: generation, Settings: settings, Wipe: true}
	err = p.processes.endAll(ctx, next, how)
	if err == nil {
		err = p.processes.endControl(how)
	}
	if err != nil {
		release() // Otherwise nobody ends parts any more: control itself is ending.
	}
	return err
}

// endAlone keeps two from ending parts at the same time: some would come back as
// the one wants, some as the other.
func (p *Platform) endAlone() (release func(), err error) {
	if !p.ending.TryLock() {
		return nil, status.Error(codes.Aborted, "a reset or a hold is under way already")
	}
	return p.ending.Unlock, nil
}

// hold ends every part's process; they come back without doing their work. The
// control process stays, so that somebody can be asked for more.
func (p *Platform) hold(ctx context.Context) error {
	if err := p.errNotContainers(); err != nil {
		return err
	}
	release, err := p.endAlone()
	if err != nil {
		return err
	}
	defer release()
	return p.processes.endAll(context.WithoutCancel(ctx), p.topology, &adminv1.EndPartRequest{Hold: true})
}

// meetLimit bounds how long a part may take to be met for the first time.
const meetLimit = 3 * time.Second

// endAll ends every part at once, and waits until each has another process.
// Parts that the next topology does not include are passed over when they are
// not there. If others are not there nothing is wiped; a hold takes what there
// is.
func (c *control) endAll(ctx context.Context, next Topology, how *adminv1.EndPartRequest) error {
	present, absent := c.muster(ctx, next)
	if absent != nil && how.GetWipe() {
		return fmt.Errorf("nothing has been changed: %w", absent)
	}
	errs := make([]error, len(present))
	var ending sync.WaitGroup
	for i, client := range present {
		ending.Go(func() {
			if err := endAndReturn(ctx, client, how); err != nil {
				errs[i] = fmt.Errorf("end %s: %w", client.Name(), err)
			}
		})
	}
	ending.Wait()
	err := errors.Join(append(errs, absent)...)
	if err != nil && how.GetWipe() {
		err = fmt.Errorf("some parts have begun anew and others have not; another reset mends that: %w", err)
	}
	return err
}

// muster connects to every part but control. Absent says which of those that
// the next topology includes cannot be reached.
func (c *control) muster(ctx context.Context, next Topology) (present []*part.Client, absent error) {
	parts := slices.DeleteFunc(slices.Clone(c.topology.Parts), func(p PartSpec) bool { return p.Role == RoleControl })
	met := make([]bool, len(parts))
	var meeting sync.WaitGroup
	for i, p := range parts {
		client := c.client(p)
		meeting.Go(func() { met[i] = meet(ctx, client) })
	}
	meeting.Wait()
	var missing []string
	for i, p := range parts {
		switch {
		case met[i]:
			present = append(present, c.client(p))
		case next.wanted(p):
			missing = append(missing, p.Name)
		case !c.topology.wanted(p):
			c.forget(p) // It would be missed from now on.
		}
	}
	if len(missing) > 0 {
		absent = fmt.Errorf("these parts cannot be reached: %s", strings.Join(missing, ", "))
	}
	return present, absent
}

// meet waits for a part that may only just have been connected to.
func meet(ctx context.Context, client *part.Client) bool {
	ctx, cancel := context.WithTimeout(ctx, meetLimit)
	defer cancel()
	for !client.Reachable() {
		if !rest(ctx, readyPoll) {
			return false
		}
	}
	return true
}

// endControl ends this process, soon, as the others were.
func (c *control) endControl(how *adminv1.EndPartRequest) error {
	if err := decide(c.topology.Dir, c.self.Name, how); err != nil {
		return err
	}
	c.die()
	return nil
}

// dieSoon ends this process once what it is just answering has been sent.
func dieSoon() { time.AfterFunc(dieAfter, die) }

// dieAfter is long enough for an answer, and no longer.
const dieAfter = 200 * time.Millisecond
