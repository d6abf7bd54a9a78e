package book

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"breakbank/platform/rpc"
	bookv1 "breakbank/proto/book/v1"
)

// ServiceName is what requests to a book must be meant for.
const ServiceName = "book"

// ServerConfig says what is served, and where.
type ServerConfig struct {
	Listener net.Listener
	// Stores are the books by name; the caller closes them after the server.
	Stores map[string]Store
	Log    *slog.Logger
	// AccessLog asks for a line in Log for each call.
	AccessLog bool
}

// NewServer returns the gRPC server of the role "book". It serves once Serve
// is called.
func NewServer(config ServerConfig) *rpc.Server {
	s := rpc.NewServer(rpc.ServerConfig{
		Service: ServiceName, Instance: ServiceName, Listener: config.Listener, Log: config.Log,
		AccessLog: config.AccessLog,
	})
	bookv1.RegisterBookServiceServer(s.Registrar(), &service{stores: maps.Clone(config.Stores)})
	return s
}

// service answers the BookService from several stores.
type service struct {
	bookv1.UnimplementedBookServiceServer
	stores map[string]Store
}

func (s *service) store(name string) (Store, error) {
	if store, ok := s.stores[name]; ok {
		return store, nil
	}
	names := slices.Sorted(maps.Keys(s.stores))
	return nil, status.Errorf(codes.FailedPrecondition, "no store %q, there are: %s", name, strings.Join(names, ", "))
}

func (s *service) Apply(ctx context.Context, req *bookv1.ApplyRequest) (*bookv1.ApplyResponse, error) {
	store, err := s.store(req.GetStore())
	if err != nil {
		return nil, err
	}
	result, err := store.Apply(ctx, req.GetOperation())
	if err != nil {
		return nil, toStatus(err)
	}
	return &bookv1.ApplyResponse{Refusal: result.Refusal, Sequence: result.Sequence, Replayed: result.Replayed}, nil
}

func (s *service) GetAccount(ctx context.Context, req *bookv1.GetAccountRequest) (*bookv1.GetAccountResponse, error) {
	store, err := s.store(req.GetStore())
	if err != nil {
		return nil, err
	}
	account, err := store.Account(ctx, req.GetAccount())
	if err != nil {
		return nil, toStatus(err)
	}
	return &bookv1.GetAccountResponse{Account: account}, nil
}

func (s *service) ListEntries(ctx context.Context, req *bookv1.ListEntriesRequest) (*bookv1.ListEntriesResponse, error) {
	store, err := s.store(req.GetStore())
	if err != nil {
		return nil, err
	}
	entries, err := store.Entries(ctx, req.GetFromSequence(), int(req.GetLimit()))
	if err != nil {
		return nil, toStatus(err)
	}
	return &bookv1.ListEntriesResponse{Entries: entries}, nil
}

// statuses maps the errors of a store to codes, both ways. ErrClosed and
// ErrReadOnly are Unavailable because the operation certainly did not happen.
func statuses() []struct {
	err  error
	code codes.Code
} {
	return []struct {
		err  error
		code codes.Code
	}{
		{ErrKeyReused, codes.AlreadyExists},
		{ErrInvalid, codes.InvalidArgument},
		{ErrNoSuchAccount, codes.NotFound},
		{ErrClosed, codes.Unavailable},
		{ErrReadOnly, codes.Unavailable},
		{context.DeadlineExceeded, codes.DeadlineExceeded},
		{context.Canceled, codes.Canceled},
	}
}

func toStatus(err error) error {
	for _, s := range statuses() {
		if errors.Is(err, s.err) {
			return status.Error(s.code, err.Error())
		}
	}
	return status.Error(codes.Aborted, err.Error())
}

// fromStatus gives an error of the remote store back its identity, and keeps
// its gRPC status.
func fromStatus(doing string, err error) error {
	switch status.Code(err) {
	case codes.AlreadyExists:
		return fmt.Errorf("%s: %w: %w", doing, ErrKeyReused, err)
	case codes.InvalidArgument:
		return fmt.Errorf("%s: %w: %w", doing, ErrInvalid, err)
	case codes.NotFound:
		return fmt.Errorf("%s: %w: %w", doing, ErrNoSuchAccount, err)
	default:
		return fmt.Errorf("%s: %w", doing, err)
	}
}
