package main

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"breakbank/platform/access"
	"breakbank/platform/telemetry"
	adminv1 "breakbank/proto/admin/v1"
)

// defaultAdminAddress is where "up" offers the control API, and where it is
// looked for without a flag and without a context.
const defaultAdminAddress = "127.0.0.1:7017"

const (
	// ctlTimeout bounds a command; a rollout or the growth of the registry takes
	// seconds.
	ctlTimeout = 2 * time.Minute
	// ctlConnectTimeout bounds connecting: an address where nobody answers.
	ctlConnectTimeout = 5 * time.Second
)

// controlFlags say which platform a command is about.
type controlFlags struct {
	Context     string `placeholder:"NAME" help:"Context to use, in place of the current one; see 'breakbank context'." group:"Which platform"`
	ContextFile string `type:"path" placeholder:"FILE" help:"Context file. Default: $$BREAKBANK_CONTEXT, the nearest .breakbank/context.yaml, or the user's own." group:"Which platform"`
	Control     string `env:"BREAKBANK_CONTROL" placeholder:"HOST:PORT" help:"Address of the control API, in place of the context's. Default without a context: ${admin_address}." group:"Which platform"`
	TokenFile   string `env:"BREAKBANK_TOKEN_FILE" type:"path" placeholder:"FILE" help:"File with the token for it, in place of the context's." group:"Which platform"`
}

// target says which platform it is; bad input is a usageError.
func (c *controlFlags) target() (access.Target, error) {
	choice := access.Choice{Context: c.Context, Control: c.Control, TokenFile: c.TokenFile}
	target, err := access.Resolve(choice, access.UsualPlaces(c.ContextFile), defaultAdminAddress)
	if err != nil {
		return target, usageError{err}
	}
	return target, nil
}

// controls is a connection to a running platform.
type controls struct {
	adminv1.AdminServiceClient
	ctx    context.Context
	target access.Target
}

// do connects, runs the call, and says what went wrong in the platform's words.
func (c *controlFlags) do(ctx context.Context, t terminal, call func(controls) error) error {
	target, err := c.target()
	if err != nil {
		return err
	}
	if target.File != "" && target.Token != "" && access.Loose(target.File) {
		fmt.Fprintf(t.err, "breakbank: others may read %s, which holds a token; 'chmod 600' mends that\n", target.File)
	}
	ctx, cancel := context.WithTimeout(ctx, ctlTimeout)
	defer cancel()
	conn, err := dialControl(target)
	if err != nil {
		return err
	}
	defer conn.Close()
	err = call(controls{adminv1.NewAdminServiceClient(conn), ctx, target})
	return controlError(err, target, conn.GetState() == connectivity.Ready)
}

// dialControl makes a connection that shows the target's token.
func dialControl(target access.Target) (*grpc.ClientConn, error) {
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.DefaultConfig, MinConnectTimeout: ctlConnectTimeout}),
	}
	if target.Token != "" {
		options = append(options, grpc.WithPerRPCCredentials(telemetry.NewClientCredentials(target.Token)))
	}
	conn, err := grpc.NewClient(target.Control, options...)
	if err != nil {
		return nil, misused("control API %q: %w", target.Control, err)
	}
	return conn, nil
}

// controlError says what is wrong with a call to the control API, and what to do
// about it. connected says whether anybody was there.
func controlError(err error, target access.Target, connected bool) error {
	s, isStatus := status.FromError(err)
	switch {
	case err == nil || !isStatus:
		return err
	case s.Code() == codes.Unauthenticated && target.Token == "":
		return fmt.Errorf("the control API at %s wants a token: %s; give it with --token-file or a context", target.Control, target.TokenFrom)
	case s.Code() == codes.Unauthenticated:
		return fmt.Errorf("the control API at %s refuses the token, which is from %s", target.Control, target.TokenFrom)
	case s.Code() == codes.Unavailable && !connected:
		where := "--control names another, a context file too"
		if target.Context != "" {
			where = "'breakbank context list' shows others"
		}
		return fmt.Errorf("no platform answers at %v: 'breakbank up' or 'docker compose up' brings one up; %s", target, where)
	}
	return fmt.Errorf("%s (control API at %s)", s.Message(), target.Control)
}
