package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"

	"breakbank/platform/access"
)

// contextCommand is about how commands find a platform.
type contextCommand struct {
	List  contextList  `cmd:"" help:"List the contexts; the current one is marked."`
	Use   contextUse   `cmd:"" help:"Make a context the current one."`
	Show  contextShow  `cmd:"" help:"Show what a context says."`
	Serve contextServe `cmd:"" hidden:"" help:"Keep a context file for a platform in containers."`
}

// contextFile names the file that a command is about.
type contextFile struct {
	ContextFile string `type:"path" placeholder:"FILE" help:"Context file. Default: $$BREAKBANK_CONTEXT, the nearest .breakbank/context.yaml, or the user's own."`
}

// read reads the file; bad input is a usageError.
func (c *contextFile) read() (string, access.File, error) {
	path, err := access.UsualPlaces(c.ContextFile).Find()
	if err != nil {
		return "", access.File{}, usageError{err}
	}
	if path == "" {
		return "", access.File{}, errors.New("no context file was found; 'docker compose up' writes one, and --context-file names one")
	}
	f, err := access.Read(path)
	if err != nil {
		return path, f, usageError{err}
	}
	return path, f, nil
}

type contextList struct{ contextFile }

func (c *contextList) Run(t terminal) error {
	path, f, err := c.read()
	if err != nil {
		return err
	}
	current, _ := f.Pick("") // None may be the current one.
	w := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "CURRENT\tNAME\tCONTROL\tTOKEN\tFILE")
	for _, c := range f.Contexts {
		mark := ""
		if c.Name == current.Name {
			mark = "*"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", mark, c.Name, c.Control, yesNo(c.Token != ""), path)
	}
	return w.Flush()
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}

type contextUse struct {
	contextFile
	Name string `arg:"" help:"Context."`
}

func (c *contextUse) Run(t terminal) error {
	path, f, err := c.read()
	if err != nil {
		return err
	}
	if _, err := f.Pick(c.Name); err != nil {
		return misused("%s: %w", path, err)
	}
	f.Current = c.Name
	if err := access.Write(path, f, nil); err != nil {
		return err
	}
	fmt.Fprintf(t.out, "%s is the current context of %s\n", c.Name, path)
	return nil
}

type contextShow struct {
	contextFile
	Name  string `arg:"" optional:"" help:"Context. Default: the current one."`
	Token bool   `help:"Print its token and nothing else, for tools such as curl."`
}

func (c *contextShow) Run(t terminal) error {
	path, f, err := c.read()
	if err != nil {
		return err
	}
	chosen, err := f.Pick(c.Name)
	if err != nil {
		return misused("%s: %w", path, err)
	}
	if c.Token {
		if chosen.Token == "" {
			return fmt.Errorf("context %s of %s has no token", chosen.Name, path)
		}
		fmt.Fprintln(t.out, chosen.Token)
		return nil
	}
	w := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "name\t%s\ncontrol\t%s\ntoken\t%s\nfile\t%s\n", chosen.Name, chosen.Control, yesNo(chosen.Token != ""), path)
	for _, edge := range chosen.Edges.All() {
		fmt.Fprintf(w, "edge\t%s\n", edge)
	}
	return w.Flush()
}

// contextServe keeps a context file for as long as a platform is up.
type contextServe struct {
	Dir       string `required:"" type:"path" help:"Directory of the context file; its owner gets it."`
	TokenFile string `required:"" type:"path" help:"The platform's token; made where it is missing."`
	Control   string `required:"" placeholder:"HOST:PORT" help:"Where the control API is reached by those who read the file."`
	Name      string `default:"compose" help:"Name of the context."`
	Edges     string `placeholder:"FILE|NODE/SERVICE=HOST:PORT,…" help:"Where they reach the edges."`
	Out       string `type:"path" placeholder:"DIR" help:"A directory for results, to be made writable to all."`
	Once      bool   `help:"Write it and end, in place of staying until told to end and then removing it."`
}

func (c *contextServe) Run(ctx context.Context, t terminal) error {
	if err := access.CheckAddress(c.Control); err != nil {
		return misused("--control is %w", err)
	}
	share := access.Share{Dir: c.Dir, TokenFile: c.TokenFile, Out: c.Out, Context: access.Context{Name: c.Name, Control: c.Control}}
	if c.Edges != "" {
		var err error
		if share.Context.Edges, err = access.ReadEdges(c.Edges); err != nil {
			return misused("--edges: %w", err)
		}
	}
	if c.Once {
		_, err := share.Put()
		return err
	}
	return share.Serve(ctx, func() { fmt.Fprintf(t.out, "context %s is in %s\n", c.Name, c.Dir) })
}
