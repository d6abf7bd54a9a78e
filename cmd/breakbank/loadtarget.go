package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"breakbank/bench/load"
	"breakbank/loadgen/method"
	"breakbank/platform/telemetry"
)

// loadTarget is what is called, and how: for every command that offers load.
type loadTarget struct {
	controlFlags
	foreignTarget

	Target    []string `placeholder:"HOST:PORT" help:"Where to; several with commas take turns. Without a target: the bank." group:"What to call"`
	Method    string   `placeholder:"PKG.SERVICE/METHOD" help:"What to call, found by server reflection or in --proto." group:"What to call"`
	Data      string   `short:"d" placeholder:"JSON|@FILE" help:"The message, or an array of them for a stream; may have templates such as {{.Seq}}." group:"What to call"`
	CSV       string   `name:"csv" type:"existingfile" placeholder:"FILE" help:"Rows for {{.CSV \"column\"}} in the data." group:"What to call"`
	RandomRow bool     `help:"Draw a row a request; otherwise they come in turn." group:"What to call"`
	Journeys  string   `placeholder:"FILE" help:"A mix of methods and sessions, in YAML or JSON, in place of one method." group:"What to call"`
	Proto     []string `placeholder:"FILE" help:".proto files that describe the methods, in place of reflection." group:"What to call"`
	ImportDir []string `name:"import-path" placeholder:"DIR" help:"Where .proto files and their imports are looked for." group:"What to call"`
	Metadata  []string `short:"H" sep:"none" placeholder:"NAME=VALUE" help:"A header of every request; 'name: value' will do as well. May be repeated." group:"What to call"`
	Authority string   `placeholder:"NAME" help:"Whom requests are for. Default: the address." group:"What to call"`
	Write     bool     `help:"The method changes something: without an answer its outcome is unknown, not failed." group:"What to call"`
	OKCode    []string `name:"ok-code" placeholder:"CODE" help:"gRPC statuses that count as ok. Default: OK." group:"What to call"`
	Requests  int      `placeholder:"N" help:"Messages of a client-streaming call. Default: the data's, once." group:"What to call"`
	Replies   int      `placeholder:"N" help:"Messages that a server-streaming call must answer with." group:"What to call"`

	Mix       string        `placeholder:"JOURNEY=WEIGHT,…" help:"The bank: its journeys, such as card_tap=3,app_refresh=1. Default: its usual mix." group:"The bank"`
	Customers string        `default:"even" enum:"even,people" help:"The bank: customers who are all alike (even), or people." group:"The bank"`
	Retries   bool          `help:"The bank: customers try again when it fails; that is counted apart." group:"The bank"`
	StormAt   time.Duration `placeholder:"TIME" help:"The bank: it writes to all people so long after the start, and they look." group:"The bank"`

	Connections int           `short:"c" placeholder:"N" help:"Connections to each address. Default: 1." group:"How"`
	MaxInFlight int           `placeholder:"N" help:"Cap on requests in flight; what it keeps back counts as failed. Default: rate × 15 s × 1.2." group:"How"`
	Deadline    time.Duration `placeholder:"TIME" help:"Patience of a request, from when it was due. Default: 10s." group:"How"`
	Transport   string        `default:"wire" enum:"wire,grpc-go" help:"What carries the calls: wire, or grpc-go." group:"How"`
	TLS         bool          `name:"tls" help:"Speak TLS; so do the flags below." group:"How"`
	CACert      string        `name:"cacert" type:"existingfile" placeholder:"FILE" help:"Certificates to trust, in place of the system's." group:"How"`
	Cert        string        `type:"existingfile" placeholder:"FILE" help:"The client's certificate." group:"How"`
	Key         string        `type:"existingfile" placeholder:"FILE" help:"Its key." group:"How"`
	ServerName  string        `placeholder:"NAME" help:"The name that the server's certificate must have. Default: the address's." group:"How"`
	Insecure    bool          `name:"insecure-skip-verify" help:"Do not look at the server's certificate." group:"How"`
	Cores       string        `default:"auto" enum:"auto,shared,own" help:"Whether the generator shares its cores with what it measures, for the verdict." group:"How"`
}

// spec reads the flags; how much, when and for how long is left open.
func (c *loadTarget) spec() (load.Spec, error) {
	s := load.Spec{
		Targets: c.Target, Authority: c.Authority, Transport: c.Transport, Connections: c.Connections,
		Deadline: c.Deadline, MaxInFlight: c.MaxInFlight, Cores: c.Cores,
	}
	for _, header := range c.Metadata {
		line, err := headerLine(header)
		if err != nil {
			return s, err
		}
		s.Metadata = append(s.Metadata, line)
	}
	if c.TLS || c.CACert != "" || c.Cert != "" || c.Key != "" || c.ServerName != "" || c.Insecure {
		s.TLS = &load.TLSSpec{
			CACert: c.CACert, Cert: c.Cert, Key: c.Key, ServerName: c.ServerName, InsecureSkipVerify: c.Insecure,
		}
	}
	return s, c.what(&s)
}

// what sets what is called: a method, a file of journeys, or the bank.
func (c *loadTarget) what(s *load.Spec) error {
	described := load.Description{Protos: c.Proto, ImportPaths: c.ImportDir}
	switch {
	case c.Method != "" && c.Journeys != "":
		return errors.New("--method and --journeys: one or the other")
	case c.Method == "" && c.Journeys == "" && len(c.Target) > 0:
		return errors.New("a --target needs to be told what to call: a --method, or a file of --journeys")
	case (c.Method != "" || c.Journeys != "") && len(c.Target) == 0:
		return errors.New("say where to: --target HOST:PORT")
	case c.Method == "" && c.ofMethod() != "":
		return fmt.Errorf("%s is for a --method: %s", c.ofMethod(), c.instead())
	case c.Method == "" && c.Journeys == "" && len(c.Proto)+len(c.ImportDir) > 0:
		return errors.New("--proto and --import-path are for a --method, or a file of --journeys: the bank's own methods are known")
	case c.Replies < 0:
		return fmt.Errorf("--replies %d: say 1 or more", c.Replies)
	case c.RandomRow && c.CSV == "":
		return errors.New("--random-row is for the rows of a --csv")
	case (c.Mix != "" || c.Retries || c.StormAt != 0 || c.Customers != load.CustomersEven) && len(c.Target) > 0:
		return errors.New("--mix, --customers, --retries and --storm-at are for the bank, which needs no --target")
	}
	switch {
	case c.Method != "":
		data, err := method.ReadArgument(c.Data)
		if err != nil {
			return fmt.Errorf("--data: %w", err)
		}
		s.Method = &load.MethodSpec{
			Name: c.Method, Data: string(data), RowsName: c.CSV, RandomRows: c.RandomRow, Write: c.Write,
			Requests: c.Requests, Codes: c.OKCode, MessagesMin: c.Replies, Description: described,
		}
		if c.CSV != "" {
			if s.Method.Rows, err = os.ReadFile(c.CSV); err != nil {
				return fmt.Errorf("--csv: %w", err)
			}
		}
	case c.Journeys != "":
		text, err := os.ReadFile(c.Journeys)
		if err != nil {
			return fmt.Errorf("--journeys: %w", err)
		}
		s.Journeys = &load.JourneysSpec{File: c.Journeys, Text: text, Description: described}
	default:
		target, err := c.target()
		if err != nil {
			return err
		}
		s.Bank = &load.BankSpec{
			Admin: target.Control, Reach: target.Edges.Address,
			Customers: c.Customers, Retries: c.Retries, StormAt: c.StormAt,
		}
		if target.Token != "" {
			s.Bank.Token = telemetry.NewClientCredentials(target.Token)
		}
		if c.Mix != "" {
			mix, err := load.ParseMix(c.Mix)
			if err != nil {
				return fmt.Errorf("--mix: %w", err)
			}
			s.Bank.Mix = mix
		}
	}
	return nil
}

// ofMethod is the first flag that was given and is about a single method, empty
// if none is.
func (c *loadTarget) ofMethod() string {
	for _, flag := range []struct {
		name  string
		given bool
	}{
		{"--data", c.Data != ""},
		{"--csv", c.CSV != ""},
		{"--random-row", c.RandomRow},
		{"--write", c.Write},
		{"--ok-code", len(c.OKCode) > 0},
		{"--requests", c.Requests != 0},
		{"--replies", c.Replies != 0},
	} {
		if flag.given {
			return flag.name
		}
	}
	return ""
}

// instead says where it is said what such a flag says, of what is called.
func (c *loadTarget) instead() string {
	if c.Journeys != "" {
		return "the file of --journeys says it of each of its own"
	}
	return "the bank's journeys have their own"
}

// headerLine reads a header as name=value or as name: value.
func headerLine(header string) (string, error) {
	at := strings.IndexAny(header, ":=")
	if at <= 0 {
		return "", fmt.Errorf("-H %q: say name=value", header)
	}
	return strings.TrimSpace(header[:at]) + ": " + strings.TrimSpace(header[at+1:]), nil
}
