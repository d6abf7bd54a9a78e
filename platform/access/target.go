package access

import (
	"fmt"
	"slices"
)

// Choice is what a user says of whom to talk to; all of it may be empty.
type Choice struct {
	// Context is a name in the context file.
	Context string
	// Control is an address, host:port, in place of the context's.
	Control string
	// TokenFile holds a token, in place of the context's.
	TokenFile string
}

// Target is whom to talk to.
type Target struct {
	// Control is the address of the control API.
	Control string
	// Token is what to show it, empty for nothing; TokenFrom says where it comes
	// from, or where it was looked for, in words.
	Token, TokenFrom string
	// Context is the name of the context that it comes from and File that
	// context's file; empty without.
	Context, File string
	Edges         Edges
}

// Resolve says whom to talk to. Flags go before the context. Without either it
// is the address usual, without a token.
//
// An address alone, without the name of a context, has nothing to do with the
// current context and must not be told that one's token: only a context of that
// very address lends its own.
func Resolve(choice Choice, places Places, usual string) (Target, error) {
	path, err := places.Find()
	if err != nil {
		return Target{}, err
	}
	t := Target{Control: usual, TokenFrom: "no token file was named, and no context file was found"}
	switch {
	case path != "":
		f, err := Read(path)
		if err != nil {
			return t, err
		}
		if err := t.take(f, choice, path); err != nil {
			return t, err
		}
	case choice.Context != "":
		return t, fmt.Errorf("--context %s: no context file was found; name one with --context-file or $%s", choice.Context, Variable)
	}
	if choice.Control != "" {
		if err := CheckAddress(choice.Control); err != nil {
			return t, fmt.Errorf("--control is %w", err)
		}
		t.Control = choice.Control
	}
	if choice.TokenFile != "" {
		if t.Token, err = ReadToken(choice.TokenFile); err != nil {
			return t, fmt.Errorf("--token-file: %w", err)
		}
		t.TokenFrom = "token file " + choice.TokenFile
	}
	return t, nil
}

// take takes what the context file says.
func (t *Target) take(f File, choice Choice, path string) error {
	var c Context
	if choice.Context == "" && choice.Control != "" {
		i := slices.IndexFunc(f.Contexts, func(c Context) bool { return c.Control == choice.Control })
		if i < 0 {
			t.TokenFrom = fmt.Sprintf("no token file was named, and %s has no context with that address", path)
			return nil
		}
		c = f.Contexts[i]
	} else {
		var err error
		if c, err = f.Pick(choice.Context); err != nil {
			return fmt.Errorf("context file %s: %w", path, err)
		}
	}
	t.Control, t.Token, t.Edges = c.Control, c.Token, c.Edges
	t.Context, t.File = c.Name, path
	t.TokenFrom = fmt.Sprintf("context %s of %s", c.Name, path)
	if c.Token == "" {
		t.TokenFrom += ", which has none"
	}
	return nil
}

// String says in words whom it is about.
func (t Target) String() string {
	if t.Context == "" {
		return t.Control
	}
	return fmt.Sprintf("%s, context %s of %s", t.Control, t.Context, t.File)
}
