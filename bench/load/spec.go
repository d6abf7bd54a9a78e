package load

import (
	"time"

	"google.golang.org/grpc/credentials"
)

// Spec is a load, complete: whoever has it offers the same one. It is written
// as JSON for workers of other processes.
type Spec struct {
	// Exactly one of Method, Journeys and Bank says what is sent.
	Method   *MethodSpec   `json:"method,omitempty"`
	Journeys *JourneysSpec `json:"journeys,omitempty"`
	Bank     *BankSpec     `json:"bank,omitempty"`

	// Targets are the addresses, host:port, of a service; requests go to them in
	// turn. The bank's are looked up.
	Targets []string `json:"targets,omitempty"`
	// Authority is whom requests are for; empty stands for the address.
	Authority string `json:"authority,omitempty"`
	// Metadata goes with every request: lines "name: value", templates included.
	Metadata []string `json:"metadata,omitempty"`
	// TLS, if not nil, is spoken on all connections.
	TLS *TLSSpec `json:"tls,omitempty"`
	// Transport is a name of transport.Transports; empty is the first.
	Transport string `json:"transport,omitempty"`
	// Connections is how many there are to each address; 0 stands for
	// DefaultConnections.
	Connections int `json:"connections,omitempty"`

	// RatePerS is the mean rate, for pacers that have none of their own; it must
	// be 0 for all others.
	RatePerS float64 `json:"rate_per_s,omitempty"`
	// Pacer is what pacer.Parse reads; empty is Poisson.
	Pacer string `json:"pacer,omitempty"`
	// Closed, if above 0, makes it a closed loop of so many journeys at once;
	// RatePerS and Pacer must be empty then.
	Closed int `json:"closed,omitempty"`
	// Duration is how long the load lasts that is counted.
	Duration time.Duration `json:"duration_ns"`
	// WarmUp is loaded before it and counted apart.
	WarmUp time.Duration `json:"warm_up_ns,omitempty"`
	Seed   uint64        `json:"seed"`
	// Deadline is the patience of a request, from its intended time; 0 stands
	// for DefaultDeadline. The bank's journeys have their own.
	Deadline time.Duration `json:"deadline_ns,omitempty"`
	// MaxInFlight caps the journeys in flight; 0 stands for peak rate × 15 s ×
	// 1.2.
	MaxInFlight int `json:"max_in_flight,omitempty"`
	// Objective, if above 0, is the response within which an answer is good.
	Objective time.Duration `json:"objective_ns,omitempty"`
	// Cores says whether the generator shares its cores with what it measures,
	// for the verdict: CoresAuto, CoresShared or CoresOwn.
	Cores string `json:"cores,omitempty"`

	// times is at how many times its rate the load is played; 0 is once.
	times float64
}

// MethodSpec is one method of one service.
type MethodSpec struct {
	// Name is package.Service/Method.
	Name string `json:"name"`
	// Data is JSON, an array of messages for a stream, possibly with templates;
	// empty is the empty message.
	Data string `json:"data,omitempty"`
	// Rows are CSV text that templates take columns from, RowsName its file;
	// RandomRows draws a row a request, otherwise they come in turn.
	Rows       []byte `json:"rows,omitempty"`
	RowsName   string `json:"rows_name,omitempty"`
	RandomRows bool   `json:"random_rows,omitempty"`
	// Write says that the method changes something: without an answer its
	// outcome is unknown, not failed.
	Write bool `json:"write,omitempty"`
	// Requests is how many messages a client-streaming call sends; 0 is Data's
	// once.
	Requests int `json:"requests,omitempty"`
	// ReplyMaxBytes, if above 0, bounds an answer: a longer one is lost.
	ReplyMaxBytes int `json:"reply_max_bytes,omitempty"`
	// Codes are the gRPC statuses that count as ok; empty is OK alone.
	Codes []string `json:"codes,omitempty"`
	// MessagesMin is how many messages a server-streaming call must answer with.
	MessagesMin int `json:"messages_min,omitempty"`
	Description
}

// JourneysSpec is a mix of methods and sessions, as a file says it.
type JourneysSpec struct {
	// File is the path; Text what it says.
	File string `json:"file"`
	Text []byte `json:"text"`
	Description
}

// Description says where methods are described: in .proto files, or by the
// server's reflection.
type Description struct {
	Protos      []string `json:"protos,omitempty"`
	ImportPaths []string `json:"import_paths,omitempty"`
	// Descriptors is a FileDescriptorSet; Resolve sets it, and then neither
	// files nor server are asked any more.
	Descriptors []byte `json:"descriptors,omitempty"`
}

// BankSpec is the bank itself, with its customers.
type BankSpec struct {
	// Admin is the address of its control API.
	Admin string `json:"admin"`
	// Mix gives journeys a weight; empty is the bank's usual mix.
	Mix map[string]int `json:"mix,omitempty"`
	// Customers says how customers behave: "even", or "people".
	Customers string `json:"customers,omitempty"`
	// Retries says that customers try again when it fails.
	Retries bool `json:"retries,omitempty"`
	// StormAt, if above 0, is when the bank writes to all its people, who look.
	StormAt time.Duration `json:"storm_at_ns,omitempty"`
	// Edges are the addresses of the bank by service, set by Resolve.
	Edges map[string][]string `json:"edges,omitempty"`

	// Token is shown to the control API; empty where that asks for none. It is
	// in no result.
	Token credentials.PerRPCCredentials `json:"-"`
	// Reach says where this machine reaches an edge that the control API knows
	// at an address; nil: there.
	Reach func(node, service, address string) string `json:"-"`
}

// TLSSpec says how TLS is spoken. Files are read by each process that sends, so
// that no key ever travels.
type TLSSpec struct {
	CACert             string `json:"ca_cert,omitempty"`
	Cert               string `json:"cert,omitempty"`
	Key                string `json:"key,omitempty"`
	ServerName         string `json:"server_name,omitempty"`
	InsecureSkipVerify bool   `json:"insecure_skip_verify,omitempty"`
}

// Whether the generator shares its cores with the measured.
const (
	// CoresAuto: shared if any target is on this machine.
	CoresAuto   = "auto"
	CoresShared = "shared"
	CoresOwn    = "own"
)

const (
	// DefaultConnections is one connection per address, as most clients have.
	DefaultConnections = 1
	// DefaultDeadline is the patience of a request.
	DefaultDeadline = 10 * time.Second
)
