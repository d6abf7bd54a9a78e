package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"breakbank/platform/access"
	"breakbank/platform/rpc"
	adminv1 "breakbank/proto/admin/v1"
	bankv1 "breakbank/proto/bank/v1"
	"breakbank/services/bank"
)

const (
	// cardNet is the edge that faces the card network.
	cardNet = "cardnet"
	// requestIDHeader is how a caller from outside names a request.
	requestIDHeader = "x-request-id"
	// tapPatience is how long a terminal waits for the card network.
	tapPatience = 10 * time.Second
)

// ctlTap pays by card, once.
type ctlTap struct {
	Zone        string `placeholder:"a" help:"Tap in this zone. Default: at the first edge."`
	Node        string `placeholder:"a1" help:"Tap at the edge of this node."`
	AmountMinor int64  `default:"500" placeholder:"PENCE" help:"Amount. Default: 500, £5.00."`
	Card        int    `default:"1" placeholder:"N" help:"Whose card: customer 0 to 9999. Default: 1."`
	Prepaid     bool   `help:"Pay with the prepaid card."`
	Address     string `placeholder:"HOST:PORT" help:"Where that edge is reached from here, in place of what the context or the platform says."`
}

func (c *ctlTap) Run(ctx context.Context, ctl *ctlCommand, t terminal) error {
	if err := c.check(); err != nil {
		return err
	}
	return ctl.do(ctx, t, func(to controls) error {
		at := &adminv1.Edge{Service: cardNet, Address: c.Address}
		if c.Address == "" {
			topology, err := to.GetTopology(to.ctx, &adminv1.GetTopologyRequest{})
			if err != nil {
				return err
			}
			if at, err = c.edge(topology, to.target); err != nil {
				return err
			}
		}
		return c.tap(to.ctx, t, at)
	})
}

// check refuses what no terminal would send.
func (c *ctlTap) check() error {
	switch {
	case c.AmountMinor <= 0:
		return misused("--amount-minor %d: say pence, more than 0", c.AmountMinor)
	case c.Card < 0 || c.Card >= bank.Customers:
		return misused("--card %d: say 0 to %d", c.Card, bank.Customers-1)
	case c.Address != "" && (c.Zone != "" || c.Node != ""):
		return misused("--address names the edge; leave --zone and --node out")
	case c.Address != "":
		if err := access.CheckAddress(c.Address); err != nil {
			return misused("--address is %w", err)
		}
	}
	return nil
}

// edge is the first that fits, at the address where it is reached from here.
func (c *ctlTap) edge(topology *adminv1.GetTopologyResponse, target access.Target) (*adminv1.Edge, error) {
	var there []string
	for _, e := range topology.GetEdges() {
		if e.GetService() != cardNet {
			continue
		}
		there = append(there, fmt.Sprintf("%s (zone %s)", e.GetNode(), e.GetZone()))
		if (c.Zone == "" || c.Zone == e.GetZone()) && (c.Node == "" || c.Node == e.GetNode()) {
			return &adminv1.Edge{
				Service: e.GetService(), Node: e.GetNode(), Zone: e.GetZone(),
				Address: target.Edges.Address(e.GetNode(), e.GetService(), e.GetAddress()),
			}, nil
		}
	}
	if len(there) == 0 {
		return nil, fmt.Errorf("the platform at %v has no edge to the card network yet", target)
	}
	return nil, misused("no edge to the card network is there; they are at %s", strings.Join(there, ", "))
}

// tap pays at an edge and says what came of it.
func (c *ctlTap) tap(ctx context.Context, t terminal, at *adminv1.Edge) error {
	conn, err := grpc.NewClient(at.GetAddress(), grpc.WithAuthority(cardNet),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return misused("edge %q: %w", at.GetAddress(), err)
	}
	defer conn.Close()
	random := make([]byte, 8)
	if _, err := rand.Read(random); err != nil {
		return fmt.Errorf("draw a request id: %w", err)
	}
	id := "tap-" + hex.EncodeToString(random)
	number := bank.CardNumber(c.Card)
	if c.Prepaid {
		number = bank.PrepaidNumber(c.Card)
	}
	ctx, cancel := context.WithTimeout(metadata.AppendToOutgoingContext(ctx, requestIDHeader, id), tapPatience)
	defer cancel()
	var trailer metadata.MD
	began := time.Now()
	answer, err := bankv1.NewCardNetServiceClient(conn).Authorise(ctx, &bankv1.AuthoriseRequest{
		IdempotencyKey: "ctl-" + id, CardNumber: number, AmountMinor: c.AmountMinor,
		Merchant: "breakbank ctl", TransmittedAt: timestamppb.New(began),
	}, grpc.Trailer(&trailer))
	took := time.Since(began)
	if err != nil {
		// In its own words, and not as one of the control API.
		s := status.Convert(err)
		return fmt.Errorf("no answer from the card network's edge at %s after %v: %s: %s (request %s)",
			at.GetAddress(), took.Round(time.Millisecond), s.Code(), s.Message(), id)
	}
	if err := printTap(t, at, answer, rpc.ParseProvenance(trailer), took, id); err != nil {
		return err
	}
	if code := answer.GetResponseCode(); code != bank.Approved {
		return fmt.Errorf("not approved: %s", describeCode(code))
	}
	return nil
}

func printTap(t terminal, at *adminv1.Edge, answer *bankv1.AuthoriseResponse, p rpc.Provenance, took time.Duration, id string) error {
	w := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "answer\t%s\n", describeCode(answer.GetResponseCode()))
	fmt.Fprintf(w, "decided by\t%s\n", answer.GetDecidedBy())
	if at.GetNode() == "" {
		fmt.Fprintf(w, "edge\t%s\n", at.GetAddress())
	} else {
		fmt.Fprintf(w, "edge\t%s, node %s, zone %s\n", at.GetAddress(), at.GetNode(), at.GetZone())
	}
	route := "nobody said"
	if p.Route != "" {
		route = fmt.Sprintf("%s, %v old", p.Route, p.Age)
	}
	fmt.Fprintf(w, "route\t%s\n", route)
	fmt.Fprintf(w, "attempts\t%d\n", p.Attempts)
	fmt.Fprintf(w, "latency\t%.1f ms\n", float64(took.Microseconds())/1000)
	fmt.Fprintf(w, "request\t%s\n", id)
	return w.Flush()
}

// describeCode is a response code in words.
func describeCode(code string) string {
	words := map[string]string{
		bank.Approved: "approved", bank.DoNotHonour: "do not honour", bank.NoSuchCard: "no such card",
		bank.InsufficientFunds: "insufficient funds", bank.Expired: "card expired", bank.OverLimit: "over the card's limit",
		bank.IssuerInoperative: "the issuer cannot answer", bank.SystemError: "system error",
	}
	if text, ok := words[code]; ok {
		return code + " " + text
	}
	return fmt.Sprintf("%q, which no issuer may say", code)
}
