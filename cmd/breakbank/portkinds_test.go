package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/proto"

	"breakbank/platform/cluster"
	bankv1 "breakbank/proto/bank/v1"
	bookv1 "breakbank/proto/book/v1"
	"breakbank/services/bank"
)

// port is where a part listens.
type port struct {
	name, address string
	hostile       []hostile
	good          func(address string) error
	// patience is how long who has sent one byte may stay, and who has sent a
	// head and one byte of a body; 0 is not tested.
	patience, bodyPatience time.Duration
}

// Bounds that are set where each port is served, and a second of grace.
const (
	headPatience = 6 * time.Second
	tenPatience  = 11 * time.Second
)

// ports lists a port of every kind.
func (p *guarded) ports(t *testing.T) []port {
	part := func(role string) cluster.PartSpec { return p.topology.PartsOf(role)[0] }
	bearer := http.Header{"Authorization": {"Bearer " + p.token}}
	var all []port
	for _, role := range []string{cluster.RoleEtcd, cluster.RoleAPIServer, cluster.RoleNode, cluster.RoleBook, cluster.RoleNATS} {
		all = append(all, port{
			name: "admin listener of " + part(role).Name, address: part(role).Admin, patience: headPatience,
			hostile: adminRequests(t, p.token, "/admin.v1.PartService/EndPart", endPart),
			good:    gets(t, 1, "/readyz", bearer),
		})
	}
	control := adminRequests(t, p.token, "/admin.v1.AdminService/InjectFault", injectFault)
	all = append(all, port{name: "control API", address: p.address, patience: headPatience, hostile: control, good: gets(t, 1, "/readyz", bearer)})

	node, etcd, api := part(cluster.RoleNode), part(cluster.RoleEtcd), part(cluster.RoleAPIServer)
	all = append(all,
		rpcPort("cardnet", "cardnet", node.Fixed["cardnet"], "/bank.v1.CardNetService/Authorise", authorise,
			twisted(authorise, func(m *bankv1.AuthoriseRequest) { m.IdempotencyKey = "" }),
			twisted(authorise, func(m *bankv1.AuthoriseRequest) { m.IdempotencyKey = long }),
			twisted(authorise, func(m *bankv1.AuthoriseRequest) { m.AmountMinor = -100 })),
		rpcPort("fps", "fps", node.Fixed["fps"], "/bank.v1.FasterPaymentsService/Receive", receive,
			twisted(receive, func(m *bankv1.ReceiveInRequest) { m.IdempotencyKey = "" }),
			twisted(receive, func(m *bankv1.ReceiveInRequest) { m.IdempotencyKey = long }),
			twisted(receive, func(m *bankv1.ReceiveInRequest) { m.AmountMinor = -100 })),
		rpcPort("standin", "standin", p.fixed("standin"), "/bank.v1.StandInService/Authorise", authorise,
			twisted(authorise, func(m *bankv1.AuthoriseRequest) { m.IdempotencyKey = "" }),
			twisted(authorise, func(m *bankv1.AuthoriseRequest) { m.IdempotencyKey = long }),
			twisted(authorise, func(m *bankv1.AuthoriseRequest) { m.Merchant = long }),
			twisted(authorise, func(m *bankv1.AuthoriseRequest) { m.AmountMinor = -100 })),
		rpcPort("an instance of ledger", "ledger", p.ledger, "/bank.v1.LedgerService/Post", post,
			twisted(post, func(m *bankv1.PostRequest) { m.IdempotencyKey = "" }),
			twisted(post, func(m *bankv1.PostRequest) { m.IdempotencyKey = long }),
			twisted(post, func(m *bankv1.PostRequest) { m.AmountMinor = -100 })),
		rpcPort("book", "book", part(cluster.RoleBook).Address, "/book.v1.BookService/Apply", apply,
			twisted(apply, func(m *bookv1.ApplyRequest) { m.Operation = nil }),
			twisted(apply, func(m *bookv1.ApplyRequest) { m.Operation.Key = long }),
			twisted(apply, func(m *bookv1.ApplyRequest) { m.Operation.AmountMinor = -100 }),
			twisted(apply, func(m *bookv1.ApplyRequest) { m.Operation.Kind = 99 })),
		port{
			name: "router", address: node.Router, patience: tenPatience, good: speaksThroughRouter,
			hostile: concat(noises(closed, closed, closed, closed),
				calls("ledger", "/bank.v1.LedgerService/Post", nil),
				[]hostile{{"for a service that is not there", overGRPC(grpcCall{authority: "somebody-else", method: "/bank.v1.LedgerService/Post", body: framed(encoded(post))}), "gRPC Unavailable"}},
				bloated("ledger", "/bank.v1.LedgerService/Post", post, "HTTP 431")),
		},
		port{
			name: "gateway", address: node.Fixed["gateway"], patience: headPatience, bodyPatience: tenPatience, good: queriesWell(t),
			hostile: concat(noises("HTTP 400", "HTTP 431", "HTTP 431", closed), queries(t, 1), queries(t, 2)),
		},
		port{
			name: "router's table", address: node.Table, patience: headPatience, bodyPatience: headPatience, good: gets(t, 1, "/table", nil),
			hostile: append(noises("HTTP 400", "HTTP 431", "HTTP 431", "HTTP 405"),
				web(t, 1, "a wrong method", httpRequest{http.MethodPost, "/table", nil, fiveMiB}, "HTTP 405"),
				web(t, 1, "a revision that is none", httpRequest{http.MethodGet, "/table?after=x", nil, nil}, "HTTP 400")),
		},
		port{
			name: "API server", address: api.Address, patience: tenPatience, bodyPatience: tenPatience, good: gets(t, 1, "/api/v1/services", nil),
			hostile: concat(noises("HTTP 400", "HTTP 431", "HTTP 431", "HTTP 404"), objects(t)),
		},
		port{
			name: "NATS", address: part(cluster.RoleNATS).Address, good: speaksNATS,
			hostile: append(noises(natsUnknown, natsUnknown, natsUnknown, natsUnknown),
				hostile{"a line of 1 MiB", raw([]byte("PUB " + strings.Repeat(canary, overMiB/len(canary)) + " 1\r\n")), "-ERR maximum control line exceeded"},
				hostile{"a message of 9 MB", raw([]byte("CONNECT {}\r\nPUB " + canary + " 9000000\r\n" + canary)), "-ERR Maximum Payload Violation"}),
		},
		etcdPort("etcd for clients", etcd.Client),
		etcdPort("an API server's link to etcd", api.Links["endpoints"]),
		port{
			name: "etcd for peers", address: etcd.Peer, good: gets(t, 1, "/version", nil),
			hostile: append(noises("HTTP 400", "HTTP 431", "HTTP 431", "HTTP 400"),
				web(t, 1, "a path that is not there", httpRequest{http.MethodGet, "/secrets", nil, nil}, "HTTP 404"),
				web(t, 1, "another cluster's messages", httpRequest{http.MethodPost, "/raft", http.Header{"X-Etcd-Cluster-Id": {canary}, "Authorization": {canary}}, []byte(canary)}, "HTTP 412")),
		},
	)
	return all
}

const natsUnknown = "-ERR Unknown Protocol Operation"

// concat puts lists behind one another.
func concat(lists ...[]hostile) []hostile {
	var all []hostile
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

// fixed is an address of a service that keeps its own.
func (p *guarded) fixed(service string) string {
	for _, n := range p.topology.PartsOf(cluster.RoleNode) {
		if n.Fixed[service] != "" {
			return n.Fixed[service]
		}
	}
	return ""
}

// rpcPort is an instance's: good is a message that it would execute, and bad
// are some that it must not.
func rpcPort[M interface {
	comparable
	proto.Message
}](name, service, address, method string, good M, bad ...proto.Message) port {
	return port{
		name: name, address: address, patience: tenPatience, good: healthy(service),
		hostile: concat(noises(closed, closed, closed, closed),
			calls(service, method, nil),
			strangers(service, method, good),
			bloated(service, method, good, "reset FRAME_SIZE_ERROR"),
			nonsense(service, method, "gRPC InvalidArgument", bad...)),
	}
}

// etcdPort is an address at which an etcd member answers clients.
func etcdPort(name, address string) port {
	return port{name: name, address: address, good: healthy(""), hostile: concat(
		noises(closed, closed+or+"HTTP 431", closed+or+"HTTP 431", closed), // As its multiplexer finds the end of a line.
		calls("etcd", "/etcdserverpb.KV/Put", nil))}
}

// gets is a good request for a page.
func gets(t *testing.T, version int, path string, fields http.Header) func(string) error {
	send := overHTTP(t, version, httpRequest{http.MethodGet, path, fields, nil})
	return func(address string) error {
		if got := send(address); got.outcome != "HTTP 200" {
			return fmt.Errorf("%s: %s", got.outcome, got.said)
		}
		return nil
	}
}

// queriesWell is a good question to the gateway.
func queriesWell(t *testing.T) func(string) error {
	send := overHTTP(t, 2, httpRequest{
		http.MethodPost, "/graphql",
		http.Header{"Content-Type": {"application/json"}},
		asked(fmt.Sprintf("{account(customerId:%q){balance{balanceMinor}}}", bank.CustomerID(7))),
	})
	return func(address string) error {
		if got := send(address); got.outcome != "HTTP 200" || strings.Contains(got.said, "errors") {
			return fmt.Errorf("%s: %s", got.outcome, got.said)
		}
		return nil
	}
}

// healthy asks a gRPC server how it is.
func healthy(service string) func(string) error {
	return dialled(service, func(ctx context.Context, conn *grpc.ClientConn) error {
		resp, err := healthv1.NewHealthClient(conn).Check(ctx, &healthv1.HealthCheckRequest{Service: service})
		if err == nil && resp.GetStatus() != healthv1.HealthCheckResponse_SERVING {
			return fmt.Errorf("it is %v", resp.GetStatus())
		}
		return err
	})
}

// speaksThroughRouter asks an instance through the router.
var speaksThroughRouter = dialled("ledger", func(ctx context.Context, conn *grpc.ClientConn) error {
	_, err := bankv1.NewLedgerServiceClient(conn).GetBalance(ctx, &bankv1.GetBalanceRequest{Account: bank.CurrentAccount(7)})
	return err
})

func dialled(authority string, call func(context.Context, *grpc.ClientConn) error) func(string) error {
	return func(address string) error {
		options := []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}
		if authority != "" {
			options = append(options, grpc.WithAuthority(authority))
		}
		conn, err := grpc.NewClient(address, options...)
		if err != nil {
			return err
		}
		defer conn.Close()
		ctx, cancel := context.WithTimeout(context.Background(), cutLimit)
		defer cancel()
		return call(ctx, conn)
	}
}

// speaksNATS greets a NATS server.
func speaksNATS(address string) error {
	conn, err := net.DialTimeout("tcp4", address, cutLimit)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(cutLimit)) // It is open.
	if _, err := fmt.Fprint(conn, "CONNECT {\"verbose\":false}\r\nPING\r\n"); err != nil {
		return err
	}
	said := make([]byte, 0, 4<<10)
	for !bytes.Contains(said, []byte("PONG\r\n")) {
		n, err := conn.Read(said[len(said):cap(said)])
		if said = said[:len(said)+n]; err != nil {
			return fmt.Errorf("%w after %q", err, said)
		}
	}
	return nil
}
