// Package payments is the service that sends bank transfers out and takes them
// in, by moving money between a customer's account and the account in which
// the bank settles with Faster Payments. It keeps nothing of its own; the
// ledger makes each transfer happen once per idempotency key.
package payments

import (
	"context"
	"strings"

	"breakbank/platform/node"
	"breakbank/platform/rpc"
	bankv1 "breakbank/proto/bank/v1"
	"breakbank/services/bank"
)

const (
	// internal begins the names of the bank's own accounts. They exist
	// implicitly, so money sent to one by a stranger would simply be gone.
	internal = "bank:"

	// Digits of a UK sort code and account number.
	sortCodeDigits      = 6
	accountNumberDigits = 8
	// maxReference is the longest reference that Faster Payments carries, its
	// remittance information, in bytes.
	maxReference = 140
)

// New makes an instance that serves PaymentsService on env.Listener and finds
// the ledger through env.Dialer.
func New(_ context.Context, env node.Env) (node.Instance, error) {
	server := rpc.NewServer(rpc.ServerConfig{
		Service: env.Service, Instance: env.Instance, Listener: env.Listener, Log: env.Log,
		AccessLog: env.AccessLog,
	})
	bankv1.RegisterPaymentsServiceServer(server.Registrar(), &service{dialer: env.Dialer})
	return server, nil
}

type service struct {
	bankv1.UnimplementedPaymentsServiceServer
	dialer *rpc.Dialer
}

// SendOut implements PaymentsService.
func (s *service) SendOut(ctx context.Context, req *bankv1.SendOutRequest) (*bankv1.SendOutResponse, error) {
	if err := checkReference(req.GetReference()); err != nil {
		return nil, err
	}
	sortCode, number := digits(req.GetToSortCode()), digits(req.GetToAccountNumber())
	switch {
	case len(sortCode) != sortCodeDigits:
		return nil, bank.Errorf(bank.Invalid, "to_sort_code %q is not %d digits", req.GetToSortCode(), sortCodeDigits)
	case len(number) != accountNumberDigits:
		return nil, bank.Errorf(bank.Invalid, "to_account_number %q is not %d digits", req.GetToAccountNumber(), accountNumberDigits)
	case strings.HasPrefix(req.GetFromAccount(), internal):
		return &bankv1.SendOutResponse{Refusal: bankv1.Refusal_REFUSAL_NO_SUCH_ACCOUNT}, nil
	}
	refusal, err := s.post(ctx, &bankv1.PostRequest{
		IdempotencyKey: req.GetIdempotencyKey(),
		FromAccount:    req.GetFromAccount(),
		ToAccount:      bank.AccountFPS,
		AmountMinor:    req.GetAmountMinor(),
		Reference:      outReference(req.GetReference(), sortCode, number),
	})
	if err != nil {
		return nil, err
	}
	return &bankv1.SendOutResponse{Refusal: refusal}, nil
}

// ReceiveIn implements PaymentsService.
func (s *service) ReceiveIn(ctx context.Context, req *bankv1.ReceiveInRequest) (*bankv1.ReceiveInResponse, error) {
	if err := checkReference(req.GetReference()); err != nil {
		return nil, err
	}
	if strings.HasPrefix(req.GetToAccount(), internal) {
		return &bankv1.ReceiveInResponse{Refusal: bankv1.Refusal_REFUSAL_NO_SUCH_ACCOUNT}, nil
	}
	refusal, err := s.post(ctx, &bankv1.PostRequest{
		IdempotencyKey: req.GetIdempotencyKey(),
		FromAccount:    bank.AccountFPS,
		ToAccount:      req.GetToAccount(),
		AmountMinor:    req.GetAmountMinor(),
		Reference:      req.GetReference(),
	})
	if err != nil {
		return nil, err
	}
	return &bankv1.ReceiveInResponse{Refusal: refusal}, nil
}

// post has the ledger move the money. Its errors pass up with their codes,
// which say whether the money may have moved.
func (s *service) post(ctx context.Context, req *bankv1.PostRequest) (bankv1.Refusal, error) {
	if err := checkPost(req); err != nil {
		return 0, err
	}
	conn, err := s.dialer.Dial(ctx, "ledger")
	if err != nil {
		return 0, bank.Errorf(bank.Unavailable, "find the ledger: %w", err)
	}
	done, err := bankv1.NewLedgerServiceClient(conn).Post(rpc.WithKey(ctx, req.GetIdempotencyKey()), req)
	if err != nil {
		return 0, bank.Wrap(err, "post %s from %s to %s", req.GetIdempotencyKey(), req.GetFromAccount(), req.GetToAccount())
	}
	return done.GetRefusal(), nil
}

func checkPost(req *bankv1.PostRequest) error {
	switch {
	case req.GetIdempotencyKey() == "":
		return bank.Errorf(bank.Invalid, "idempotency_key must not be empty")
	case req.GetFromAccount() == "" || req.GetToAccount() == "":
		return bank.Errorf(bank.Invalid, "account must not be empty")
	case req.GetAmountMinor() <= 0:
		return bank.Errorf(bank.Invalid, "amount_minor must be above 0, not %d", req.GetAmountMinor())
	}
	return nil
}

func checkReference(reference string) error {
	if len(reference) > maxReference {
		return bank.Errorf(bank.Invalid, "reference is longer than %d bytes", maxReference)
	}
	return nil
}

// outReference is what the book keeps of a transfer out. It names the payee:
// the book must know whom it paid, and a key sent again with another payee
// must not pass for the same transfer.
func outReference(reference, sortCode, number string) string {
	to := "to " + sortCode[:2] + "-" + sortCode[2:4] + "-" + sortCode[4:] + " " + number
	if reference == "" {
		return to
	}
	return reference + " " + to
}

// digits is s without the spaces and dashes that people write; "" when there
// is anything else in it.
func digits(s string) string {
	var kept strings.Builder
	for _, r := range s {
		switch {
		case r >= '0' && r <= '9':
			kept.WriteRune(r)
		case r != ' ' && r != '-':
			return ""
		}
	}
	return kept.String()
}
