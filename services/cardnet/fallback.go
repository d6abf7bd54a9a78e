package cardnet

import (
	"context"
	"fmt"
	"sync/atomic"

	bankv1 "breakbank/proto/bank/v1"
	"breakbank/services/bank"
)

// fallback is how stand-in is reached when the primary fails; an operator may
// switch it at any moment. It is safe for concurrent use.
type fallback struct {
	mode atomic.Int32 // a bankv1.FallbackMode

	// routed finds stand-in by name through the node's router, independent at
	// its fixed address. Either is nil when there is no such way.
	routed, independent authoriser
}

// parseMode reads the mode of a topology: none, routed or independent.
func parseMode(name string) (bankv1.FallbackMode, error) {
	switch name {
	case "", "none":
		return bankv1.FallbackMode_FALLBACK_MODE_NONE, nil
	case "routed":
		return bankv1.FallbackMode_FALLBACK_MODE_ROUTED, nil
	case "independent":
		return bankv1.FallbackMode_FALLBACK_MODE_INDEPENDENT, nil
	default:
		return 0, fmt.Errorf("unknown fallback %q; known are none, routed and independent", name)
	}
}

// set switches to mode and returns the one before.
func (f *fallback) set(mode bankv1.FallbackMode) (previous bankv1.FallbackMode, err error) {
	switch mode {
	case bankv1.FallbackMode_FALLBACK_MODE_NONE, bankv1.FallbackMode_FALLBACK_MODE_ROUTED:
	case bankv1.FallbackMode_FALLBACK_MODE_INDEPENDENT:
		if f.independent == nil {
			return 0, bank.Errorf(bank.Forbidden, "stand-in has no fixed address here")
		}
	default:
		return 0, bank.Errorf(bank.Invalid, "unknown fallback mode %v", mode)
	}
	return bankv1.FallbackMode(f.mode.Swap(int32(mode))), nil
}

// standIn is whom to ask when the primary fails, nil for nobody.
func (f *fallback) standIn() authoriser {
	switch bankv1.FallbackMode(f.mode.Load()) {
	case bankv1.FallbackMode_FALLBACK_MODE_ROUTED:
		return f.routed
	case bankv1.FallbackMode_FALLBACK_MODE_INDEPENDENT:
		return f.independent
	default:
		return nil
	}
}

// SetFallback is for operators: it switches stand-in on or off.
func (s *service) SetFallback(_ context.Context, req *bankv1.SetFallbackRequest) (*bankv1.SetFallbackResponse, error) {
	previous, err := s.fallback.set(req.GetMode())
	if err != nil {
		return nil, bank.Wrap(err, "switching the fallback")
	}
	s.log.Info("fallback switched", "from", previous, "to", req.GetMode())
	return &bankv1.SetFallbackResponse{Previous: previous}, nil
}
