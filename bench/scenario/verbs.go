package scenario

import "context"

// Operator is whoever carries out the steps, with the means that an operator
// of the bank has. Each call returns when the action has completed, except
// RestartRouter, which does not wait for readiness. The note of some calls is
// what the operator saw, for the timeline.
type Operator interface {
	GrowRegistry(ctx context.Context, members int) error
	// FullLoad ends the warm-up and starts the main load.
	FullLoad(ctx context.Context) error
	Deploy(ctx context.Context, service, version string) error
	RollBack(ctx context.Context, service string) error
	Scale(ctx context.Context, service string, replicas int) error
	DeleteService(ctx context.Context, service string) error
	RestartRouter(ctx context.Context, node string) error
	RestartAPIServer(ctx context.Context, name string) error
	// SwitchStandin switches the arm's way to stand-in on, or all of it off.
	SwitchStandin(ctx context.Context, on bool) (note string, err error)
	InjectFault(ctx context.Context, name, target string) error
	ClearFault(ctx context.Context, name, target string) error
	FindInRouterLogs(ctx context.Context, text string) (note string, err error)
}

// Verb is one kind of step: how it is written and what it does.
type Verb struct {
	// Form is the phrase, its arguments in capitals as in argumentKinds.
	Form string
	// About says what it does and how it is used.
	About string
	// Injects says that the step starts faults, which must leave proof.
	Injects bool
	// Run does it; note is what the operator saw, or empty.
	Run func(ctx context.Context, o Operator, args Args) (note string, err error)
}

// The forms that the rules of a script speak of.
const (
	fullLoadForm  = "take full load"
	aftermathForm = "watch the aftermath for MINUTES min"
)

// Verbs is every kind of step that a script may hold.
var Verbs = []Verb{
	{
		Form: "grow registry to COUNT members", About: "adds etcd members one by one while serving",
		Run: func(ctx context.Context, o Operator, a Args) (string, error) {
			return "", o.GrowRegistry(ctx, a.Count)
		},
	},
	{
		Form: fullLoadForm, About: "ends the warm-up and starts the load at the run's rate",
		Run: func(ctx context.Context, o Operator, _ Args) (string, error) { return "", o.FullLoad(ctx) },
	},
	{
		Form: "connections go dark for KINDS", About: "API servers' established etcd connections of these kinds carry nothing any more",
		Injects: true,
		Run: func(ctx context.Context, o Operator, a Args) (string, error) {
			// One link at a time, so that each gives its own proof.
			for _, target := range linkNames(a.APIServers, a.Kinds) {
				if err := o.InjectFault(ctx, "link-blackhole", target); err != nil {
					return "", err
				}
			}
			return "", nil
		},
	},
	{
		Form: "deploy SERVICE VERSION", About: "rolls a service to a version",
		Run: func(ctx context.Context, o Operator, a Args) (string, error) {
			return "", o.Deploy(ctx, a.Service, a.Version)
		},
	},
	{
		Form: "roll back SERVICE", About: "rolls a service back to the version before",
		Run: func(ctx context.Context, o Operator, a Args) (string, error) {
			return "", o.RollBack(ctx, a.Service)
		},
	},
	{
		Form: "scale SERVICE to COUNT", About: "sets a service's replicas; at 0 its Service stays, with no addresses",
		Run: func(ctx context.Context, o Operator, a Args) (string, error) {
			return "", o.Scale(ctx, a.Service, a.Count)
		},
	},
	{
		Form: "delete service SERVICE", About: "deletes a Service with its Endpoints",
		Run: func(ctx context.Context, o Operator, a Args) (string, error) {
			return "", o.DeleteService(ctx, a.Service)
		},
	},
	{
		Form: "restart router NODE", About: "stops a node's router; its agent starts it again when it can",
		Run: func(ctx context.Context, o Operator, a Args) (string, error) {
			return "", o.RestartRouter(ctx, a.Node)
		},
	},
	{
		Form: "restart api servers", About: "restarts every API server, one after the other",
		Run: func(ctx context.Context, o Operator, a Args) (string, error) {
			for _, name := range a.APIServers {
				if err := o.RestartAPIServer(ctx, name); err != nil {
					return "", err
				}
			}
			return "", nil
		},
	},
	{
		Form: "restart api server APISERVER", About: "restarts one API server",
		Run: func(ctx context.Context, o Operator, a Args) (string, error) {
			return "", o.RestartAPIServer(ctx, a.APIServer)
		},
	},
	{
		Form: "switch stand-in SWITCH", About: "primary first, on failure stand-in by the arm's path",
		Run: func(ctx context.Context, o Operator, a Args) (string, error) {
			return o.SwitchStandin(ctx, a.On)
		},
	},
	{
		Form: "inject FAULT at TARGET", About: "starts a fault of the table of faults",
		Injects: true,
		Run: func(ctx context.Context, o Operator, a Args) (string, error) {
			return "", o.InjectFault(ctx, a.Fault, a.Target)
		},
	},
	{
		Form: "clear FAULT at TARGET", About: "ends an injected fault",
		Run: func(ctx context.Context, o Operator, a Args) (string, error) {
			return "", o.ClearFault(ctx, a.Fault, a.Target)
		},
	},
	{
		Form: "find TEXT in the router logs", About: "looks for a line in the routers' logs; not finding it is no failure",
		Run: func(ctx context.Context, o Operator, a Args) (string, error) {
			return o.FindInRouterLogs(ctx, a.Text)
		},
	},
	{
		Form: aftermathForm, About: "ends the script after that many minutes of its own time",
		Run: func(context.Context, Operator, Args) (string, error) { return "", nil },
	},
}
