package peers

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"breakbank/bench/peers/process"
	"breakbank/platform/ports"
)

// instances is how many there are of the echo service: as many as a service of
// the bank has.
const instances = 3

// block is the processes for one size of messages in one block: the echo service
// and the peers, all fresh. One goroutine uses it.
type block struct {
	echo     *process.Child
	backends []string
	peers    map[string]standing
}

// standing is a peer that runs; child is nil for direct.
type standing struct {
	child *process.Child
	// addresses are where its connections go to, in turn.
	addresses []string
}

// children are the peer's processes: none or one.
func (s standing) children() []*process.Child {
	if s.child == nil {
		return nil
	}
	return []*process.Child{s.child}
}

// lineup starts blocks.
type lineup struct {
	// self makes a command that is this program with other arguments.
	self    func(args ...string) *exec.Cmd
	threads int
	ports   *ports.Allocator
	dir     string
}

// start brings up the echo service and the peers, set up for messages of a size.
// A peer that does not come up is left out and among the missing; without the
// echo service there is no block. The caller ends the block.
func (l lineup) start(ctx context.Context, messageBytes int, chosen []Peer) (_ *block, _ []Missing, err error) {
	b := &block{peers: map[string]standing{}}
	defer func() {
		if err != nil {
			b.end()
		}
	}()
	for range instances {
		address, err := l.ports.Address()
		if err != nil {
			return nil, nil, err
		}
		b.backends = append(b.backends, address)
	}
	args := []string{"peers", "echo"}
	for _, address := range b.backends {
		args = append(args, "--listen", address)
	}
	if b.echo, err = process.Start(ctx, "the echo service", l.self(args...), b.backends...); err != nil {
		return nil, nil, err
	}
	var missing []Missing
	for _, p := range chosen {
		s, err := l.stand(ctx, messageBytes, p, b.backends)
		switch {
		case ctx.Err() != nil:
			return nil, nil, ctx.Err()
		case err != nil:
			missing = append(missing, Missing{Peer: p.Name, Why: err.Error()})
		default:
			b.peers[p.Name] = s
		}
	}
	return b, missing, nil
}

// stand sets a peer up and starts it.
func (l lineup) stand(ctx context.Context, messageBytes int, p Peer, backends []string) (standing, error) {
	if p.args == nil {
		return standing{addresses: backends}, nil
	}
	address, err := l.ports.Address()
	if err != nil {
		return standing{}, err
	}
	admin, err := l.ports.Address()
	if err != nil {
		return standing{}, err
	}
	dir := filepath.Join(l.dir, fmt.Sprintf("%s-%d", p.Name, messageBytes))
	s, err := newSite(p.Name, address, admin, backends, l.threads, messageBytes, dir)
	if err != nil {
		return standing{}, err
	}
	cmd, err := l.command(p, s)
	if err != nil {
		return standing{}, err
	}
	child, err := process.Start(ctx, p.Name, cmd, address)
	if err != nil {
		return standing{}, err
	}
	return standing{child: child, addresses: []string{address}}, nil
}

// dirMode lets the user that nginx's workers become into their directory.
const dirMode = 0o755

// command makes a peer's directory with its configuration, and returns what
// starts it.
func (l lineup) command(p Peer, s site) (*exec.Cmd, error) {
	if err := os.MkdirAll(s.Dir, dirMode); err != nil {
		return nil, fmt.Errorf("set up %s: %w", p.Name, err)
	}
	if err := s.write(p.files); err != nil {
		return nil, err
	}
	if p.program == "" {
		return l.self(p.args(s)...), nil
	}
	path, found := p.find()
	if !found {
		return nil, fmt.Errorf("%s is not installed", p.program)
	}
	cmd := exec.Command(path, p.args(s)...)
	cmd.Dir = s.Dir
	// Caddy keeps what it remembers of itself below these.
	cmd.Env = slices.Concat(os.Environ(), p.env, []string{"XDG_CONFIG_HOME=" + s.Dir, "XDG_DATA_HOME=" + s.Dir})
	return cmd, nil
}

// end kills every process of the block and waits for it.
func (b *block) end() {
	for _, s := range b.peers {
		for _, child := range s.children() {
			child.Kill()
		}
	}
	if b.echo != nil {
		b.echo.Kill()
	}
}
