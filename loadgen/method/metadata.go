package method

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/metadata"
)

const (
	// metadataMaxBytes bounds all names and values together: servers refuse more
	// than 8 to 16 KB by default.
	metadataMaxBytes = 64 << 10
	// binarySuffix marks values that are any bytes, sent as base64 (gRPC over
	// HTTP2, "Binary-Header").
	binarySuffix = "-bin"
)

// reservedNames are headers that a call makes itself.
var reservedNames = []string{"content-type", "te", "user-agent", "connection", "host", "transfer-encoding", "content-length", "keep-alive", "proxy-connection", "upgrade"}

// Metadata is headers of calls, some possibly with templates. It is not changed,
// and may be shared.
type Metadata struct {
	fixed   []hpack.HeaderField
	varying []varyingField
}

// varyingField is a header whose value has templates.
type varyingField struct {
	name   string
	pieces []piece
	parsed *parsed
	digest [sha256.Size]byte
}

// with is m and more; what more names, it replaces.
func (m *Metadata) with(more *Metadata) *Metadata {
	if m == nil || more == nil {
		return cmp.Or(m, more)
	}
	named := func(name string) bool {
		return slices.ContainsFunc(more.fixed, func(f hpack.HeaderField) bool { return f.Name == name }) ||
			slices.ContainsFunc(more.varying, func(f varyingField) bool { return f.name == name })
	}
	both := &Metadata{}
	for _, f := range m.fixed {
		if !named(f.Name) {
			both.fixed = append(both.fixed, f)
		}
	}
	for _, f := range m.varying {
		if !named(f.name) {
			both.varying = append(both.varying, f)
		}
	}
	both.fixed, both.varying = append(both.fixed, more.fixed...), append(both.varying, more.varying...)
	return both
}

// ParseMetadata reads lines of the form "name: value". Names come out in lower
// case. Values may hold templates, as data may; of names that end in -bin they
// are base64.
func ParseMetadata(lines []string, o DataOptions) (*Metadata, error) {
	m := &Metadata{}
	size := 0
	for _, line := range lines {
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return nil, fmt.Errorf("metadata %q: say name: value", line)
		}
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
		if size += len(name) + len(value); size > metadataMaxBytes {
			return nil, fmt.Errorf("metadata of more than %d KB", metadataMaxBytes>>10)
		}
		if err := m.add(name, value, &o); err != nil {
			return nil, fmt.Errorf("metadata %q: %w", name, err)
		}
	}
	return m, nil
}

func (m *Metadata) add(name, value string, o *DataOptions) error {
	if err := checkHeaderName(name); err != nil {
		return err
	}
	if !hasTemplate(value) {
		value, err := headerValue(name, value)
		m.fixed = append(m.fixed, hpack.HeaderField{Name: name, Value: value})
		return err
	}
	p, err := parseTemplate(value, o)
	if err != nil {
		return err
	}
	f := varyingField{name: name, parsed: p, digest: digestOf(value, o)}
	f.pieces, _ = p.pieces()
	v := &values{at: time.Unix(1_500_000_000, 0)}
	for v.seq = range 16 {
		v.begin(forMetadata)
		if _, err := f.value(v); err != nil {
			return err
		}
	}
	m.varying = append(m.varying, f)
	return nil
}

// checkHeaderName says what is wrong with a name (gRPC over HTTP2,
// "Custom-Metadata").
func checkHeaderName(name string) error {
	switch {
	case name == "":
		return errors.New("there is no name before the colon")
	case strings.HasPrefix(name, ":"), strings.HasPrefix(name, "grpc-"), slices.Contains(reservedNames, name):
		return errors.New("this name is gRPC's own; take another")
	}
	for _, c := range []byte(name) {
		if strings.IndexByte("abcdefghijklmnopqrstuvwxyz0123456789-_.", c) < 0 {
			return fmt.Errorf("%q is in no name: letters, digits and -_. are", c)
		}
	}
	return nil
}

// headerValue is a value in the form in which it is sent.
func headerValue(name, value string) (string, error) {
	if strings.HasSuffix(name, binarySuffix) {
		decoded, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(value, "="))
		if err != nil {
			return "", fmt.Errorf("%q is not base64, as values of names in -bin are", value)
		}
		return base64.RawStdEncoding.EncodeToString(decoded), nil
	}
	for _, c := range []byte(value) {
		if c < 0x20 || c > 0x7e {
			return "", fmt.Errorf("%q is more than printable ASCII: end the name in -bin and write the value in base64", value)
		}
	}
	return value, nil
}

// value is a request's value.
func (f *varyingField) value(v *values) (string, error) {
	v.options = f.parsed.options
	given := v.scratch[:0]
	var err error
	if f.pieces == nil {
		given, err = f.parsed.execute(v, given)
	}
	for i := range f.pieces {
		if p := &f.pieces[i]; p.value == nil {
			given = append(given, p.literal...)
		} else if given, err = p.value(v, given); err != nil {
			break
		}
	}
	v.scratch = given
	if err != nil {
		return "", err
	}
	return headerValue(f.name, string(given))
}

// appendVarying appends the headers of one request. v.begin(forMetadata) comes
// before it.
func (m *Metadata) appendVarying(v *values, dst []hpack.HeaderField) ([]hpack.HeaderField, error) {
	for i := range m.varying {
		f := &m.varying[i]
		value, err := f.value(v)
		if err != nil {
			return dst, fmt.Errorf("metadata %q: %w", f.name, err)
		}
		dst = append(dst, hpack.HeaderField{Name: f.name, Value: value})
	}
	return dst, nil
}

// outgoing is the metadata of the first request, for grpc-go, which encodes
// binary values itself.
func (m *Metadata) outgoing() metadata.MD {
	v := &values{at: time.Now()}
	v.begin(forMetadata)
	all, err := m.appendVarying(v, slices.Clone(m.fixed))
	if err != nil {
		all = m.fixed // ParseMetadata has tried; a load will say it.
	}
	md := metadata.MD{}
	for _, f := range all {
		value := f.Value
		if strings.HasSuffix(f.Name, binarySuffix) {
			decoded, _ := base64.RawStdEncoding.DecodeString(value) // it was encoded here
			value = string(decoded)
		}
		md.Append(f.Name, value)
	}
	return md
}
