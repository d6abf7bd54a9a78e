package discovery

import "time"

// What the two processes say to each other: JSON values on standard input and
// output, one answer to each order.

// order is what the child is to do. One field is set.
type order struct {
	Fill   *fill   `json:"fill,omitempty"`
	Change *change `json:"change,omitempty"`
	// Rest has it answer with nothing but the processor time used so far.
	Rest bool `json:"rest,omitempty"`
}

// fill writes the table.
type fill struct {
	Services  int `json:"services"`
	Endpoints int `json:"endpoints"`
}

// change changes services of the table, one after another.
type change struct {
	PerS     float64       `json:"per_s"`
	Duration time.Duration `json:"duration"`
	Seed     uint64        `json:"seed"`
}

// answer is what the child says when it has started and after each order.
type answer struct {
	APIServers []string `json:"api_servers,omitempty"` // base URLs
	Etcd       []string `json:"etcd,omitempty"`        // host:port
	Commits    []commit `json:"commits,omitempty"`
	// CPU is the processor time that the child has used since it started.
	CPU   time.Duration `json:"cpu"`
	Error string        `json:"error,omitempty"`
}

// commit is one change in etcd. Its times are nanoseconds of the wall clock,
// which the two processes share.
type commit struct {
	Service  string `json:"service"`
	Revision int64  `json:"revision"`
	// Due is when it should have been written, Written when etcd was asked,
	// Committed when etcd had answered.
	Due       int64 `json:"due"`
	Written   int64 `json:"written"`
	Committed int64 `json:"committed"`
}
