package access

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// fileBytesMax bounds a context file: it is written by hand or by us.
const fileBytesMax = 1 << 20

// tokenBytesMax bounds a token, which travels as a header.
const tokenBytesMax = 4096

// File is a context file.
type File struct {
	// Current is the context that is used where none is named; empty with a
	// single context, which then is it.
	Current  string    `yaml:"current,omitempty"`
	Contexts []Context `yaml:"contexts"`
}

// Context is a platform and how to reach it.
type Context struct {
	Name string `yaml:"name"`
	// Control is the address of the control API, host:port.
	Control string `yaml:"control"`
	// Token is what the control API wants to be shown; empty where it wants none.
	Token string `yaml:"token,omitempty"`
	// Edges are where the edges are reached from here, by node and service,
	// where that is not at the addresses that the platform knows.
	Edges Edges `yaml:"edges,omitempty"`
}

// Edges are addresses, host:port, by node and service.
type Edges map[string]map[string]string

// Read reads a context file and refuses what is wrong in it, in one line.
func Read(path string) (File, error) {
	data, err := readBounded(path, fileBytesMax)
	if err != nil {
		return File{}, fmt.Errorf("context file: %w", err)
	}
	var f File
	if err := decode(path, data, &f); err != nil {
		return File{}, fmt.Errorf("context file %w", err)
	}
	if err := f.check(); err != nil {
		return File{}, fmt.Errorf("context file %s: %w", path, err)
	}
	return f, nil
}

// decode reads YAML strictly; an error is one line, with the file and the line
// in it, and quotes nothing of it: there are secrets in there.
func decode(path string, data []byte, into any) error {
	err := yaml.UnmarshalWithOptions(data, into, yaml.Strict())
	var syntax yaml.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &syntax) && syntax.GetToken() != nil:
		return fmt.Errorf("%s:%d: %s", path, syntax.GetToken().Position.Line, syntax.GetMessage())
	}
	return fmt.Errorf("%s: %s", path, strings.Join(strings.Fields(yaml.FormatError(err, false, false)), " "))
}

func (f File) check() error {
	if len(f.Contexts) == 0 {
		return errors.New("it has no contexts")
	}
	names := map[string]bool{}
	for i, c := range f.Contexts {
		switch {
		case c.Name == "":
			return fmt.Errorf("context %d has no name", i+1)
		case names[c.Name]:
			return fmt.Errorf("context %s is there twice", c.Name)
		}
		names[c.Name] = true
		if err := c.check(); err != nil {
			return fmt.Errorf("context %s: %w", c.Name, err)
		}
	}
	if f.Current != "" && !names[f.Current] {
		return fmt.Errorf("current is %q; its contexts are %s", f.Current, strings.Join(f.Names(), ", "))
	}
	return nil
}

func (c Context) check() error {
	if err := CheckAddress(c.Control); err != nil {
		return fmt.Errorf("control is %w", err)
	}
	if c.Token != "" {
		if err := checkToken(c.Token); err != nil {
			return err
		}
	}
	return c.Edges.check()
}

func (e Edges) check() error {
	for node, services := range e {
		for service, address := range services {
			if err := CheckAddress(address); err != nil {
				return fmt.Errorf("edges.%s.%s is %w", node, service, err)
			}
		}
	}
	return nil
}

// CheckAddress refuses what is not host:port.
func CheckAddress(address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil || host == "" || port == "" || strings.ContainsAny(address, "/ \t\n@") {
		return fmt.Errorf("%q; it must be host:port, such as 127.0.0.1:7017", address)
	}
	if _, err := net.LookupPort("tcp", port); err != nil {
		return fmt.Errorf("%q; its port must be 0 to 65535", address)
	}
	return nil
}

// checkToken refuses what cannot be a header's value, without repeating it.
func checkToken(token string) error {
	switch {
	case len(token) > tokenBytesMax:
		return fmt.Errorf("the token has %d characters; at most %d are read", len(token), tokenBytesMax)
	case strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		return errors.New("the token has characters other than printable ASCII")
	}
	return nil
}

// Names lists the contexts in the order of the file.
func (f File) Names() []string {
	names := make([]string, 0, len(f.Contexts))
	for _, c := range f.Contexts {
		names = append(names, c.Name)
	}
	return names
}

// Pick is the context of a name, or the current one for an empty name.
func (f File) Pick(name string) (Context, error) {
	if name == "" {
		name = f.Current
	}
	if name == "" {
		if len(f.Contexts) == 1 {
			return f.Contexts[0], nil
		}
		return Context{}, fmt.Errorf("no context is the current one; name one of %s", strings.Join(f.Names(), ", "))
	}
	i := slices.IndexFunc(f.Contexts, func(c Context) bool { return c.Name == name })
	if i < 0 {
		return Context{}, fmt.Errorf("there is no context %q; there are %s", name, strings.Join(f.Names(), ", "))
	}
	return f.Contexts[i], nil
}

// Address is where an edge is reached from here: what the context says of it,
// or the address that the platform knows.
func (e Edges) Address(node, service, known string) string {
	if here := e[node][service]; here != "" {
		return here
	}
	return known
}

// ReadEdges reads edges from pairs, node/service=host:port with commas between,
// or from a YAML file with node: {service: host:port}.
func ReadEdges(text string) (Edges, error) {
	edges := Edges{}
	if !strings.Contains(text, "=") {
		data, err := readBounded(text, fileBytesMax)
		if err != nil {
			return nil, err
		}
		if err := decode(text, data, &edges); err != nil {
			return nil, err
		}
		return edges, edges.check()
	}
	for pair := range strings.SplitSeq(text, ",") {
		edge, address, _ := strings.Cut(strings.TrimSpace(pair), "=")
		node, service, ok := strings.Cut(edge, "/")
		if !ok || node == "" || service == "" {
			return nil, fmt.Errorf("%q is no edge; say node/service=host:port, such as a1/cardnet=127.0.0.1:7101", pair)
		}
		if edges[node] == nil {
			edges[node] = map[string]string{}
		}
		edges[node][service] = address
	}
	return edges, edges.check()
}

// Loose says whether others than its owner may read or write a file.
func Loose(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().Perm()&0o077 != 0
}

// All lists the edges as ReadEdges reads them, sorted.
func (e Edges) All() []string {
	var all []string
	for node, services := range e {
		for service, address := range services {
			all = append(all, node+"/"+service+"="+address)
		}
	}
	slices.Sort(all)
	return all
}
