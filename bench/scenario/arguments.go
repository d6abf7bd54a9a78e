package scenario

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// MembersMax is the largest registry that a script may ask for: three a zone.
const MembersMax = 9

// Args are the arguments of a step; which are set depends on its verb.
type Args struct {
	Service    string
	Version    string
	Node       string
	APIServer  string
	APIServers []string
	Kinds      []string
	Count      int
	Minutes    float64
	Fault      string
	Target     string
	Text       string
	On         bool
}

// argument is one kind of argument: how many words it takes, and how they
// become part of Args. It returns what would be valid when they do not.
type argument struct {
	name string
	// rest takes all words up to the next fixed word of the form, not one.
	rest bool
	set  func(words string, t Targets, a *Args) (valid string, ok bool)
}

// argumentKinds is every argument that a form may hold.
var argumentKinds = []argument{
	{name: "SERVICE", set: func(w string, t Targets, a *Args) (string, bool) {
		a.Service = w
		return oneOf(w, t.Services)
	}},
	{name: "NODE", set: func(w string, t Targets, a *Args) (string, bool) {
		a.Node = w
		return oneOf(w, t.Nodes)
	}},
	{name: "APISERVER", set: func(w string, t Targets, a *Args) (string, bool) {
		a.APIServer = w
		return oneOf(w, t.APIServers)
	}},
	{name: "FAULT", set: func(w string, t Targets, a *Args) (string, bool) {
		a.Fault = w
		return oneOf(w, t.FaultNames())
	}},
	// A form has it after FAULT, which says what it may be.
	{name: "TARGET", set: func(w string, t Targets, a *Args) (string, bool) {
		a.Target = w
		return t.CheckTarget(a.Fault, w)
	}},
	{name: "KINDS", rest: true, set: func(w string, t Targets, a *Args) (string, bool) {
		a.Kinds = strings.Fields(w)
		for _, kind := range a.Kinds {
			if valid, ok := oneOf(kind, t.Kinds); !ok {
				return valid, false
			}
		}
		return strings.Join(t.Kinds, ", "), len(a.Kinds) > 0
	}},
	{name: "VERSION", set: func(w string, _ Targets, a *Args) (string, bool) {
		a.Version = w
		n, err := strconv.Atoi(strings.TrimPrefix(w, "v"))
		return "v1, v2, …", err == nil && n > 0 && strings.HasPrefix(w, "v")
	}},
	{name: "COUNT", set: func(w string, _ Targets, a *Args) (string, bool) {
		n, err := strconv.Atoi(w)
		a.Count = n
		return fmt.Sprintf("a number from 0 to %d", MembersMax), err == nil && n >= 0 && n <= MembersMax
	}},
	{name: "MINUTES", set: func(w string, _ Targets, a *Args) (string, bool) {
		n, err := strconv.ParseFloat(w, 64)
		a.Minutes = n
		return fmt.Sprintf("minutes of the script, more than 0, at most %d", aftermathMaxMin), err == nil && n > 0 && n <= aftermathMaxMin
	}},
	{name: "SWITCH", set: func(w string, _ Targets, a *Args) (string, bool) {
		a.On = w == "on"
		return oneOf(w, []string{"on", "off"})
	}},
	{name: "TEXT", rest: true, set: func(w string, _ Targets, a *Args) (string, bool) {
		text, err := strconv.Unquote(w)
		a.Text = text
		return `a text in double quotes`, err == nil && text != ""
	}},
}

// aftermathMaxMin bounds the watching after the script: a day of its own time.
const aftermathMaxMin = 24 * 60

func oneOf(word string, valid []string) (string, bool) {
	return strings.Join(valid, ", "), slices.Contains(valid, word)
}

func argumentKind(word string) (argument, bool) {
	i := slices.IndexFunc(argumentKinds, func(a argument) bool { return a.name == word })
	if i < 0 {
		return argument{}, false
	}
	return argumentKinds[i], true
}

// badStep says what is wrong with the words of a step.
type badStep struct{ wrong, valid string }

// parseStep finds the verb that the words begin with and reads its arguments.
func parseStep(do string, t Targets) (Verb, Args, *badStep) {
	words := strings.Fields(do)
	i := slices.IndexFunc(Verbs, func(v Verb) bool { return fits(strings.Fields(v.Form), words) })
	if i < 0 {
		return Verb{}, Args{}, &badStep{fmt.Sprintf("unknown step %q", do), formsLike(words)}
	}
	best := Verbs[i]
	args := Args{APIServers: t.APIServers}
	form := strings.Fields(best.Form)
	for i, j := 0, 0; i < len(form); i++ {
		kind, ok := argumentKind(form[i])
		if !ok {
			j++
			continue
		}
		n := 1
		if kind.rest {
			n = len(words) - j - (len(form) - i - 1)
		}
		value := strings.Join(words[j:j+n], " ")
		j += n
		if valid, ok := kind.set(value, t, &args); !ok {
			return Verb{}, Args{}, &badStep{fmt.Sprintf("%s: unknown %s %q", best.Form, strings.ToLower(kind.name), value), valid}
		}
	}
	return best, args, nil
}

// fits says whether the words are of the form, whatever its arguments are worth.
func fits(form, words []string) bool {
	rest := slices.IndexFunc(form, func(w string) bool {
		kind, ok := argumentKind(w)
		return ok && kind.rest
	})
	if rest < 0 {
		return len(form) == len(words) && fixedMatch(form, words)
	}
	tail := len(form) - rest - 1
	return len(words) >= len(form) &&
		fixedMatch(form[:rest], words[:rest]) && fixedMatch(form[rest+1:], words[len(words)-tail:])
}

func fixedMatch(form, words []string) bool {
	for i, word := range form {
		if _, isArgument := argumentKind(word); !isArgument && word != words[i] {
			return false
		}
	}
	return true
}

// formsLike lists the forms that begin with the same word, or else all of them.
func formsLike(words []string) string {
	var like, all []string
	for _, verb := range Verbs {
		all = append(all, verb.Form)
		if len(words) > 0 && strings.Fields(verb.Form)[0] == words[0] {
			like = append(like, verb.Form)
		}
	}
	if len(like) == 0 {
		like = all
	}
	return strings.Join(like, " | ")
}
