// Package cardnet is the bank's edge to the card network: it takes
// authorisations and reversals, asks the processor that the card belongs to,
// lets stand-in decide when that one cannot, and sees to it that no processor
// keeps money aside for an approval that the card network never heard.
package cardnet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"google.golang.org/grpc"

	"breakbank/platform/node"
	"breakbank/platform/rpc"
	bankv1 "breakbank/proto/bank/v1"
)

const serviceName = "cardnet"

// authoriser decides payments.
type authoriser interface {
	Authorise(context.Context, *bankv1.AuthoriseRequest, ...grpc.CallOption) (*bankv1.AuthoriseResponse, error)
}

// reverser undoes them.
type reverser interface {
	Reverse(context.Context, *bankv1.ReverseRequest, ...grpc.CallOption) (*bankv1.ReverseResponse, error)
}

// processor is a primary, with what must be undone there.
type processor struct {
	name   string
	client interface {
		authoriser
		reverser
	}
	reversals *queue
}

type service struct {
	bankv1.UnimplementedCardNetServiceServer
	log               *slog.Logger
	cardauth, prepaid *processor
	fallback          fallback
	reversals         *reversals
}

// instance is the service on its server.
type instance struct {
	*rpc.Server
	reversals *reversals
}

// New builds an instance that serves once Serve is called. It reaches its
// processors through env.Dialer, which stays the caller's, and starts with
// stand-in on if env says so.
func New(ctx context.Context, env node.Env) (node.Instance, error) {
	s := &service{log: env.Log, reversals: newReversals(env.Log)}
	if err := s.dial(ctx, env); err != nil {
		return nil, fmt.Errorf("build %s: %w", env.Instance, err)
	}
	mode, err := parseMode(env.Fallback)
	if err != nil {
		return nil, fmt.Errorf("build %s: %w", env.Instance, err)
	}
	if !env.FallbackOn {
		mode = bankv1.FallbackMode_FALLBACK_MODE_NONE
	}
	if _, err := s.fallback.set(mode); err != nil {
		return nil, fmt.Errorf("build %s: %w", env.Instance, err)
	}
	server := rpc.NewServer(rpc.ServerConfig{
		Service: env.Service, Instance: env.Instance, Listener: env.Listener, Log: env.Log,
		Edge: true, AccessLog: env.AccessLog,
	})
	bankv1.RegisterCardNetServiceServer(server.Registrar(), s)
	s.reversals.start(s.cardauth.reversals, s.prepaid.reversals)
	return &instance{Server: server, reversals: s.reversals}, nil
}

// dial gets the channels to everyone this service may ask.
func (s *service) dial(ctx context.Context, env node.Env) error {
	cardauth, err := env.Dialer.Dial(ctx, cardauthName)
	if err != nil {
		return fmt.Errorf("dial %s: %w", cardauthName, err)
	}
	prepaid, err := env.Dialer.Dial(ctx, prepaidName)
	if err != nil {
		return fmt.Errorf("dial %s: %w", prepaidName, err)
	}
	routed, err := env.Dialer.Dial(ctx, standInName)
	if err != nil {
		return fmt.Errorf("dial %s: %w", standInName, err)
	}
	s.fallback.routed = bankv1.NewStandInServiceClient(routed)
	if env.StandinAddr != "" {
		fixed, err := env.Dialer.DialFixed(ctx, standInName, env.StandinAddr)
		if err != nil {
			return fmt.Errorf("dial %s at its fixed address: %w", standInName, err)
		}
		s.fallback.independent = bankv1.NewStandInServiceClient(fixed)
	}
	toCardauth, toPrepaid := bankv1.NewCardAuthServiceClient(cardauth), bankv1.NewPrepaidServiceClient(prepaid)
	s.cardauth = &processor{name: cardauthName, client: toCardauth, reversals: newQueue(cardauthName, toCardauth)}
	s.prepaid = &processor{name: prepaidName, client: toPrepaid, reversals: newQueue(prepaidName, toPrepaid)}
	return nil
}

// Drain stops taking payments, then delivers the reversals still pending.
func (i *instance) Drain(ctx context.Context) error {
	return errors.Join(i.Server.Drain(ctx), i.reversals.close(ctx))
}

// Kill stops at once; reversals still pending are lost.
func (i *instance) Kill() {
	i.Server.Kill()
	i.reversals.kill()
}
