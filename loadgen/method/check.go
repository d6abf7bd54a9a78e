package method

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/grpc/codes"

	"breakbank/loadgen"
	"breakbank/loadgen/transport"
)

// CodeTooFew is the code of a stream that ended well but had too few messages.
const CodeTooFew = "TOO_FEW_MESSAGES"

// Check says which answers are right.
type Check struct {
	// Codes are the gRPC statuses that count as OK, where an error is what is
	// expected; if there are none, OK alone. OK is right only if it is among
	// them.
	Codes []codes.Code
	// MessagesMin is how many messages a call must at least be answered with
	// that streams answers; it is asked of those whose status is OK.
	MessagesMin int
}

// ParseCodes reads statuses by name, as in NOT_FOUND or NotFound, or by number.
func ParseCodes(names []string) ([]codes.Code, error) {
	var parsed []codes.Code
	for _, text := range names {
		code, ok := parseCode(strings.TrimSpace(text))
		if !ok {
			var all []string
			for c := codes.OK; c <= codes.Unauthenticated; c++ {
				all = append(all, loadgen.CodeName(c))
			}
			return nil, fmt.Errorf("no gRPC status %q; they are %s", text, strings.Join(all, ", "))
		}
		parsed = append(parsed, code)
	}
	return parsed, nil
}

func parseCode(text string) (codes.Code, bool) {
	if n, err := strconv.ParseUint(text, 10, 8); err == nil {
		return codes.Code(n), n <= uint64(codes.Unauthenticated)
	}
	bare := func(name string) string { return strings.ReplaceAll(strings.ToUpper(name), "_", "") }
	for c := codes.OK; c <= codes.Unauthenticated; c++ {
		if wanted := bare(text); wanted == bare(loadgen.CodeName(c)) || wanted == bare(c.String()) {
			return c, true
		}
	}
	return 0, false
}

// judge looks at a complete answer. The zero Decision is that it is right.
func (k *Check) judge(m *Method, write bool, c *transport.Call) loadgen.Decision {
	if c.Code != codes.OK {
		if slices.Contains(k.Codes, c.Code) {
			return loadgen.Decision{}
		}
		return loadgen.Refused(write, loadgen.CodeName(c.Code), c.Message)
	}
	if len(k.Codes) > 0 && !slices.Contains(k.Codes, codes.OK) {
		return loadgen.Decision{Outcome: loadgen.Failed, Code: loadgen.CodeName(codes.OK), Err: "answered OK where an error is expected"}
	}
	switch {
	case !m.ServerStreaming && c.Messages != 1:
		d := loadgen.Garbled(write, loadgen.CodeName(codes.Internal), "answered OK with "+strconv.FormatInt(c.Messages, 10)+" messages, not one")
		d.Own = true
		return d
	case m.ServerStreaming && c.Messages < int64(k.MessagesMin):
		return loadgen.Decision{
			Outcome: loadgen.Failed, Code: CodeTooFew, Own: true,
			Err: fmt.Sprintf("answered with %d messages; at least %d are expected", c.Messages, k.MessagesMin),
		}
	}
	return loadgen.Decision{}
}

// check says what is wrong with it for a method.
func (k *Check) check(m *Method) error {
	switch {
	case k.MessagesMin < 0:
		return fmt.Errorf("%s: at least %d messages are no number of messages", m.FullName(), k.MessagesMin)
	case k.MessagesMin > 0 && !m.ServerStreaming:
		return fmt.Errorf("%s is %s: it answers with one message, not with at least %d", m.FullName(), m.Kind(), k.MessagesMin)
	}
	return nil
}
