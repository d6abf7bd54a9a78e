package replay

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"breakbank/bench/arm"
	"breakbank/bench/result"
	"breakbank/loadgen/customers"
	adminv1 "breakbank/proto/admin/v1"
	bankv1 "breakbank/proto/bank/v1"
)

// edgeCall bounds one call to an edge for the run's own purposes.
const edgeCall = time.Second

// edges are where the bench itself meets the bank, past any router: to switch
// stand-in on, and to ask how much is still to be posted.
type edges struct {
	targets  customers.Targets
	conns    []*grpc.ClientConn
	cardNets []bankv1.CardNetServiceClient
	fps      []bankv1.FasterPaymentsServiceClient
	standin  bankv1.StandInServiceClient
}

// openEdges finds the edges in a topology, in the order of their zones.
func openEdges(topology *adminv1.GetTopologyResponse) (*edges, error) {
	e := &edges{}
	for _, edge := range topology.GetEdges() {
		switch edge.GetService() {
		case "cardnet":
			e.targets.CardNet = append(e.targets.CardNet, edge.GetAddress())
		case "fps":
			e.targets.FPS = append(e.targets.FPS, edge.GetAddress())
		case "gateway":
			e.targets.Gateway = append(e.targets.Gateway, edge.GetAddress())
			continue
		case "standin":
		default:
			continue
		}
		conn, err := grpc.NewClient("passthrough:///"+edge.GetAddress(),
			grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithAuthority(edge.GetService()))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("connecting to %s on %s: %w", edge.GetService(), edge.GetNode(), err), e.close())
		}
		e.conns = append(e.conns, conn)
		switch edge.GetService() {
		case "cardnet":
			e.cardNets = append(e.cardNets, bankv1.NewCardNetServiceClient(conn))
		case "fps":
			e.fps = append(e.fps, bankv1.NewFasterPaymentsServiceClient(conn))
		default:
			e.standin = bankv1.NewStandInServiceClient(conn)
		}
	}
	var missing []string
	for name, n := range map[string]int{"cardnet": len(e.targets.CardNet), "fps": len(e.targets.FPS), "gateway": len(e.targets.Gateway)} {
		if n == 0 {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return nil, errors.Join(fmt.Errorf("the platform has no %s", strings.Join(missing, ", ")), e.close())
	}
	return e, nil
}

func (e *edges) close() error {
	var errs []error
	for _, conn := range e.conns {
		errs = append(errs, conn.Close())
	}
	return errors.Join(errs...)
}

// switchFallback sets the mode at every card edge.
func (e *edges) switchFallback(ctx context.Context, fallback string) error {
	var errs []error
	for i, cardNet := range e.cardNets {
		call, cancel := context.WithTimeout(ctx, edgeCall)
		_, err := cardNet.SetFallback(call, &bankv1.SetFallbackRequest{Mode: arm.FallbackModes[fallback]})
		cancel()
		if err != nil {
			errs = append(errs, fmt.Errorf("setting the fallback at %s: %w", e.targets.CardNet[i], err))
		}
	}
	return errors.Join(errs...)
}

// waiting is what the bank has promised and not done yet.
type waiting struct{ advices, queued, reversals int64 }

func (w waiting) none() bool { return w == waiting{} }

// backlog asks how many advices, queued payments and reversals are still to be
// done. The queue of payments is one for all instances of fps, so the greatest
// answer is taken; each instance of cardnet has reversals of its own.
func (e *edges) backlog(ctx context.Context) (waiting, error) {
	var w waiting
	var errs []error
	if e.standin != nil {
		call, cancel := context.WithTimeout(ctx, edgeCall)
		resp, err := e.standin.GetBacklog(call, &bankv1.GetBacklogRequest{})
		cancel()
		if err != nil {
			errs = append(errs, fmt.Errorf("asking stand-in for its backlog: %w", err))
		}
		w.advices = resp.GetPending()
	}
	for i, fps := range e.fps {
		call, cancel := context.WithTimeout(ctx, edgeCall)
		resp, err := fps.GetQueue(call, &bankv1.GetQueueRequest{})
		cancel()
		if err != nil {
			errs = append(errs, fmt.Errorf("asking fps at %s for its queue: %w", e.targets.FPS[i], err))
		}
		w.queued = max(w.queued, resp.GetPending())
	}
	for i, cardNet := range e.cardNets {
		call, cancel := context.WithTimeout(ctx, edgeCall)
		resp, err := cardNet.GetBacklog(call, &bankv1.GetBacklogRequest{})
		cancel()
		if err != nil {
			errs = append(errs, fmt.Errorf("asking cardnet at %s for its reversals: %w", e.targets.CardNet[i], err))
		}
		w.reversals += resp.GetPending()
	}
	return w, errors.Join(errs...)
}

// routerStates names the control API's states as results do.
var routerStates = map[adminv1.DiscoveryState]string{
	adminv1.DiscoveryState_DISCOVERY_STATE_LIVE:     result.RouterLive,
	adminv1.DiscoveryState_DISCOVERY_STATE_STALE:    result.RouterStale,
	adminv1.DiscoveryState_DISCOVERY_STATE_POISONED: result.RouterPoisoned,
	adminv1.DiscoveryState_DISCOVERY_STATE_DOWN:     result.RouterDown,
	adminv1.DiscoveryState_DISCOVERY_STATE_WAITING:  result.RouterWaiting,
}
