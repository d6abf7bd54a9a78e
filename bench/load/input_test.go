package load_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"breakbank/bench/load"
)

// TestBadInputIsMisuse: one line that says what is wrong, and nothing sent.
func TestBadInputIsMisuse(t *testing.T) {
	target := serve(t, &server{})
	for name, c := range map[string]struct {
		change func(*load.Spec)
		says   string
	}{
		"nothing to call":     {func(s *load.Spec) { s.Method = nil }, "what to call"},
		"two things to call":  {func(s *load.Spec) { s.Bank = &load.BankSpec{} }, "what to call"},
		"no target":           {func(s *load.Spec) { s.Targets = nil }, "HOST:PORT"},
		"no port":             {func(s *load.Spec) { s.Targets = []string{"localhost"} }, "HOST:PORT"},
		"no such port":        {func(s *load.Spec) { s.Targets = []string{"localhost:70000"} }, "1 to 65535"},
		"no rate":             {func(s *load.Spec) { s.RatePerS = 0 }, "rate"},
		"a negative rate":     {func(s *load.Spec) { s.RatePerS = -1 }, "more than 0"},
		"an absurd rate":      {func(s *load.Spec) { s.RatePerS = 1e12 }, "20,000,000"},
		"too long":            {func(s *load.Spec) { s.Duration = 48 * time.Hour }, "24h"},
		"too many in all":     {func(s *load.Spec) { s.Duration = 20 * time.Hour }, "lower the rate or the duration"},
		"no time":             {func(s *load.Spec) { s.Duration = 0 }, "more than 0"},
		"nothing due":         {func(s *load.Spec) { s.RatePerS = 0.0001 }, "raise the rate or the duration"},
		"a rate beside rates": {func(s *load.Spec) { s.Pacer = "ramp:10..500/2s" }, "rates of its own"},
		"a rate beside one":   {func(s *load.Spec) { s.Pacer = "constant:50" }, "rates of its own"},
		"a rate and a trace":  {func(s *load.Spec) { s.Pacer = "trace:testdata/arrivals.csv" }, "rates of its own"},
		"no such pacer":       {func(s *load.Spec) { s.Pacer = "gallop" }, "poisson"},
		"a closed loop rated": {func(s *load.Spec) { s.Closed = 3 }, "closed loop"},
		"no such transport":   {func(s *load.Spec) { s.Transport = "pigeon" }, "wire"},
		"connections":         {func(s *load.Spec) { s.Connections = 100_000 }, "connections"},
		"deadline":            {func(s *load.Spec) { s.Deadline = -1 }, "deadline"},
		"cap":                 {func(s *load.Spec) { s.MaxInFlight = -1 }, "in flight"},
		"cores":               {func(s *load.Spec) { s.Cores = "some" }, "shared"},
		"no such method":      {func(s *load.Spec) { s.Method.Name = "grpc.testing.TestService/UnaryCal" }, "UnaryCall"},
		"no such service":     {func(s *load.Spec) { s.Method.Name = "a.B/C" }, "grpc.testing.TestService"},
		"not JSON":            {func(s *load.Spec) { s.Method.Data = "{" }, "JSON"},
		"JSON does not fit":   {func(s *load.Spec) { s.Method.Data = `{"response_sise": 1}` }, "response_size"},
		"no such code":        {func(s *load.Spec) { s.Method.Codes = []string{"FINE"} }, "FINE"},
		"a header":            {func(s *load.Spec) { s.Metadata = []string{"no value"} }, "no value"},
		"no such CA file":     {func(s *load.Spec) { s.TLS = &load.TLSSpec{CACert: "/nowhere.pem"} }, "/nowhere.pem"},
		"half a certificate":  {func(s *load.Spec) { s.TLS = &load.TLSSpec{Cert: "/nowhere.pem"} }, "both or neither"},
		"no proto file": {func(s *load.Spec) {
			s.Method.Protos = []string{"/nowhere.proto"}
		}, "/nowhere.proto"},
		"journeys": {func(s *load.Spec) {
			s.Method, s.Journeys = nil, &load.JourneysSpec{File: "f.yaml", Text: []byte("journeys: 3")}
		}, "f.yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			s := spec(target)
			method := *s.Method
			s.Method = &method
			c.change(&s)
			_, err := load.Run(t.Context(), s, load.Options{})
			if !errors.As(err, new(load.Misuse)) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want a Misuse in one line that says %q", err, c.says)
			}
		})
	}
	if n := target.calls.Load(); n != 0 {
		t.Errorf("%d calls were sent", n)
	}
}

func TestWhoCannotBeReachedIsNoMisuse(t *testing.T) {
	for _, address := range []string{deadAddress(t), "nosuchhost.invalid:50051"} {
		s := load.Spec{
			Targets: []string{address}, Method: &load.MethodSpec{Name: unary},
			RatePerS: 10, Duration: time.Second,
		}
		_, err := load.Run(t.Context(), s, load.Options{})
		if err == nil || errors.As(err, new(load.Misuse)) || !strings.Contains(err.Error(), address) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestParseMix(t *testing.T) {
	mix, err := load.ParseMix("card_tap=3, app_refresh=0")
	if err != nil || len(mix) != 2 || mix["card_tap"] != 3 {
		t.Errorf("%v, %v", mix, err)
	}
	for _, text := range []string{"", "card_tap", "card_tap=x", "card_tap=-1", "card_tap=1,card_tap=2", "card_tap=1.5"} {
		if mix, err := load.ParseMix(text); err == nil {
			t.Errorf("%q was read as %v", text, mix)
		}
	}
}
