package method

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"text/template/parse"
)

// renderedMaxBytes bounds what one template may give.
const renderedMaxBytes = 64 << 20

// escapeName is the function that a template's values pass through within a
// JSON string. It is not for people to call.
const escapeName = "_within_a_json_string"

// parsed is a template that asks only for what there is.
type parsed struct {
	tree    *parse.Tree
	options *DataOptions
	whole   *template.Template
}

// hasTemplate says whether a text is more than itself.
func hasTemplate(text string) bool { return strings.Contains(text, "{{") }

// parseTemplate reads a template and checks what it asks for.
func parseTemplate(text string, o *DataOptions) (*parsed, error) {
	t, err := template.New("").Option("missingkey=error").Funcs(template.FuncMap{escapeName: escapeJSON}).Parse(unescapeActions(text))
	if err != nil {
		return nil, templateError(err)
	}
	if t.Tree == nil || len(t.Templates()) > 1 {
		return nil, errors.New("a template cannot define others")
	}
	p := &parsed{tree: t.Tree, options: o, whole: t}
	if err := p.checkList(t.Root, true); err != nil {
		return nil, err
	}
	return p, nil
}

// unescapeActions lets quotes within an action be escaped as JSON would have
// them, as in "{{.CSV \"name\"}}": then the text is JSON before and after.
func unescapeActions(text string) string {
	var b strings.Builder
	for {
		from := strings.Index(text, "{{")
		to := strings.Index(text[max(from, 0):], "}}")
		if from < 0 || to < 0 {
			b.WriteString(text)
			return b.String()
		}
		action := text[from : from+to]
		b.WriteString(text[:from])
		if first := strings.IndexByte(action, '"'); first > 0 && action[first-1] == '\\' {
			action = strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(action)
		}
		b.WriteString(action)
		text = text[from+to:]
	}
}

// execute appends what the template gives, by text/template.
func (p *parsed) execute(v *values, dst []byte) ([]byte, error) {
	w := limited{dst, len(dst) + renderedMaxBytes}
	if err := p.whole.Execute(&w, v); err != nil {
		return dst, templateError(err)
	}
	return w.b, nil
}

// limited is a buffer that ends a template which gives too much.
type limited struct {
	b   []byte
	max int
}

// Write implements io.Writer.
func (l *limited) Write(p []byte) (int, error) {
	if len(l.b)+len(p) > l.max {
		return 0, fmt.Errorf("it gives more than %d MB", renderedMaxBytes>>20)
	}
	l.b = append(l.b, p...)
	return len(p), nil
}

var _ io.Writer = (*limited)(nil)

// templateError is text/template's error without its file name and template
// name: "template: :LINE:COLUMN: executing "" at <.X>: error calling X: WHY".
func templateError(err error) error {
	text := oneLine(err.Error())
	text = strings.TrimPrefix(text, "template: :")
	at, why, ok := strings.Cut(text, ": ")
	if !ok || text == err.Error() { // what the writer says
		return errors.New(text)
	}
	line, column, _ := strings.Cut(at, ":")
	if n, err := strconv.Atoi(column); err == nil { // text/template counts from 0
		line += fmt.Sprintf(", column %d", n+1)
	}
	if name, found := strings.CutPrefix(why, `function "`); found {
		name, _, _ = strings.Cut(name, `"`)
		return fmt.Errorf("template line %s: %w", line, noField(name))
	}
	if _, after, found := strings.Cut(why, "error calling "); found {
		return fmt.Errorf("template line %s: %s", line, "."+after)
	}
	return fmt.Errorf("template line %s: %s", line, strings.NewReplacer(`executing "" at <`, "", ">: ", ": ").Replace(why))
}

// noField is the error for something that there is not.
func noField(name string) error {
	for _, f := range fields {
		if strings.EqualFold(f.name, strings.TrimPrefix(name, ".")) {
			return fmt.Errorf("there is no {{%s}}: say {{%s}}", name, f.usage)
		}
	}
	usages, _ := Templates()
	return fmt.Errorf("there is no {{%s}}; there are %s", name, strings.Join(usages, ", "))
}

// checkList refuses a template that asks for what there is not. isDot says that
// the dot is still what Execute was given.
func (p *parsed) checkList(list *parse.ListNode, isDot bool) error {
	if list == nil {
		return nil
	}
	for _, n := range list.Nodes {
		var err error
		switch n := n.(type) {
		case *parse.ActionNode:
			err = p.checkPipe(n.Pipe, isDot)
		case *parse.IfNode:
			err = p.checkBranch(&n.BranchNode, isDot, isDot)
		case *parse.RangeNode:
			err = p.checkBranch(&n.BranchNode, isDot, false)
		case *parse.WithNode:
			err = p.checkBranch(&n.BranchNode, isDot, false)
		case *parse.TemplateNode:
			err = errors.New("a template cannot use others")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *parsed) checkBranch(b *parse.BranchNode, isDot, isDotWithin bool) error {
	if err := p.checkPipe(b.Pipe, isDot); err != nil {
		return err
	}
	if err := p.checkList(b.List, isDotWithin); err != nil {
		return err
	}
	return p.checkList(b.ElseList, isDot)
}

func (p *parsed) checkPipe(pipe *parse.PipeNode, isDot bool) error {
	if pipe == nil {
		return nil
	}
	for _, c := range pipe.Cmds {
		for i, arg := range c.Args {
			err := error(nil)
			switch arg := arg.(type) {
			case *parse.FieldNode:
				if isDot {
					err = p.checkField(arg.Ident[0], c.Args[i+1:])
				}
			case *parse.VariableNode:
				if arg.Ident[0] == "$" && len(arg.Ident) > 1 {
					err = p.checkField(arg.Ident[1], c.Args[i+1:])
				}
			case *parse.PipeNode:
				err = p.checkPipe(arg, isDot)
			case *parse.ChainNode:
				if within, ok := arg.Node.(*parse.PipeNode); ok {
					err = p.checkPipe(within, isDot)
				}
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *parsed) checkField(name string, args []parse.Node) error {
	if !slices.ContainsFunc(fields[:], func(f field) bool { return f.name == name }) {
		return noField("." + name)
	}
	if name == "CSV" && len(args) == 1 {
		if column, ok := args[0].(*parse.StringNode); ok {
			_, err := p.options.Table.column(column.Text)
			return err
		}
	}
	return nil
}

// piece is part of a text: itself, or a value.
type piece struct {
	literal string
	value   appender
}

// simple says what an action gives if it is one value with constant arguments.
func (p *parsed) simple(a *parse.ActionNode) appender {
	if len(a.Pipe.Decl) > 0 || len(a.Pipe.Cmds) != 1 {
		return nil
	}
	args := a.Pipe.Cmds[0].Args
	asked, ok := args[0].(*parse.FieldNode)
	if !ok || len(asked.Ident) != 1 {
		return nil
	}
	constants := make([]constant, 0, len(args)-1)
	for _, arg := range args[1:] {
		switch arg := arg.(type) {
		case *parse.StringNode:
			constants = append(constants, constant{text: arg.Text, isText: true})
		case *parse.NumberNode:
			c := constant{whole: arg.Int64, number: arg.Float64, isWhole: arg.IsInt, isNumber: arg.IsFloat}
			c.text = fmt.Sprint(arg.Int64)
			constants = append(constants, c)
		default:
			return nil
		}
	}
	for _, f := range fields {
		if f.name == asked.Ident[0] {
			return f.build(constants, p.options)
		}
	}
	return nil
}

// pieces takes a template apart, if all of its actions are simple.
func (p *parsed) pieces() (pieces []piece, ok bool) {
	for _, n := range p.tree.Root.Nodes {
		switch n := n.(type) {
		case *parse.TextNode:
			pieces = append(pieces, piece{literal: string(n.Text)})
		case *parse.ActionNode:
			value := p.simple(n)
			if value == nil {
				return nil, false
			}
			pieces = append(pieces, piece{value: value})
		default:
			return nil, false
		}
	}
	return pieces, true
}

// escapeWithinStrings has the values that stand within JSON strings escaped, so
// that a quote in a row does not end the string. It says whether the template
// leaves its last string open.
func (p *parsed) escapeWithinStrings() error {
	open, err := escapeList(p.tree.Root, false)
	if err == nil && open {
		err = errors.New("a string is not closed")
	}
	return err
}

// escapeList escapes in a list that begins within a string or not, and says
// where it ends.
func escapeList(list *parse.ListNode, within bool) (bool, error) {
	if list == nil {
		return within, nil
	}
	var err error
	for _, n := range list.Nodes {
		switch n := n.(type) {
		case *parse.TextNode:
			within = stringsIn(n.Text, within)
		case *parse.ActionNode:
			if within && len(n.Pipe.Decl) == 0 {
				n.Pipe.Cmds = append(n.Pipe.Cmds, &parse.CommandNode{
					NodeType: parse.NodeCommand, Pos: n.Pos,
					Args: []parse.Node{parse.NewIdentifier(escapeName).SetPos(n.Pos)},
				})
			}
		case *parse.IfNode:
			within, err = escapeBranch(&n.BranchNode, within)
		case *parse.RangeNode:
			within, err = escapeBranch(&n.BranchNode, within)
		case *parse.WithNode:
			within, err = escapeBranch(&n.BranchNode, within)
		}
		if err != nil {
			return within, err
		}
	}
	return within, nil
}

func escapeBranch(b *parse.BranchNode, within bool) (bool, error) {
	one, err := escapeList(b.List, within)
	if err != nil {
		return one, err
	}
	other, err := escapeList(b.ElseList, within)
	if err == nil && (one != within || other != within) {
		err = errors.New("a string that begins within {{if}}, {{range}} or {{with}} must end there")
	}
	return within, err
}

// stringsIn follows the strings of a piece of JSON.
func stringsIn(text []byte, within bool) bool {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			within = !within
		case '\\':
			if within {
				i++
			}
		}
	}
	return within
}

// escapeJSON is the text of a value as it stands within a JSON string.
func escapeJSON(value any) string {
	quoted := appendQuoted(nil, fmt.Sprint(value))
	return string(quoted[1 : len(quoted)-1])
}
