package node

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// InstanceSpec is what an instance in a process of its own is told: an Env,
// without what cannot be written down.
type InstanceSpec struct {
	Service  string `json:"service"`
	Version  string `json:"version"`
	Instance string `json:"instance"`
	Node     string `json:"node"`
	Zone     string `json:"zone"`

	RouterAddr  string `json:"router_addr"`
	BookAddr    string `json:"book_addr,omitempty"`
	NATSURL     string `json:"nats_url,omitempty"`
	StandinAddr string `json:"standin_addr,omitempty"`
	Fallback    string `json:"fallback,omitempty"`
	FallbackOn  bool   `json:"fallback_on,omitempty"`
	AccessLog   bool   `json:"access_log,omitempty"`
	DataDir     string `json:"data_dir"`
	// Shared says that others may accept on the same socket, now or later: one
	// that drains then leaves new connections to them.
	Shared bool `json:"shared,omitempty"`
}

// specFile is the name of the file in the instance's directory.
const specFile = "instance.json"

// specBytesMax bounds a specification that is read.
const specBytesMax = 64 << 10

func specOf(env Env, shared bool) InstanceSpec {
	return InstanceSpec{
		Service: env.Service, Version: env.Version, Instance: env.Instance, Node: env.Node, Zone: env.Zone,
		RouterAddr: env.RouterAddr, BookAddr: env.BookAddr, NATSURL: env.NATSURL, StandinAddr: env.StandinAddr,
		Fallback: env.Fallback, FallbackOn: env.FallbackOn, AccessLog: env.AccessLog, DataDir: env.DataDir, Shared: shared,
	}
}

// env is the reverse of specOf.
func (s InstanceSpec) env() Env {
	return Env{
		Service: s.Service, Version: s.Version, Instance: s.Instance, Node: s.Node, Zone: s.Zone,
		RouterAddr: s.RouterAddr, BookAddr: s.BookAddr, NATSURL: s.NATSURL, StandinAddr: s.StandinAddr,
		Fallback: s.Fallback, FallbackOn: s.FallbackOn, AccessLog: s.AccessLog, DataDir: s.DataDir,
	}
}

// write stores the specification in the instance's directory, readable by its
// owner only, and returns where.
func (s InstanceSpec) write() (string, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return "", fmt.Errorf("write the instance's specification: %w", err)
	}
	path := filepath.Join(s.DataDir, specFile)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return "", fmt.Errorf("write the instance's specification: %w", err)
	}
	return path, nil
}

// readSpec reads and checks a specification.
func readSpec(path string) (InstanceSpec, error) {
	fail := func(err error) (InstanceSpec, error) {
		return InstanceSpec{}, fmt.Errorf("instance specification %s: %w", path, err)
	}
	file, err := os.Open(path)
	if err != nil {
		return fail(errors.Unwrap(err)) // It names the file once more.
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, specBytesMax+1))
	if err != nil {
		return fail(err)
	}
	if len(text) > specBytesMax {
		return fail(fmt.Errorf("it is larger than %d bytes", specBytesMax))
	}
	var s InstanceSpec
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&s); err != nil {
		return fail(err)
	}
	for _, needed := range []struct{ name, value string }{
		{"service", s.Service}, {"instance", s.Instance}, {"router_addr", s.RouterAddr}, {"data_dir", s.DataDir},
	} {
		if needed.value == "" {
			return fail(fmt.Errorf("%s is missing", needed.name))
		}
	}
	return s, nil
}
