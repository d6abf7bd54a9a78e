package method

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/protobuf/proto"

	"breakbank/loadgen"
	"breakbank/loadgen/pacer"
	"breakbank/loadgen/transport"
)

// perform runs journeys against servers, and gives the records in the order of
// their numbers.
func perform(t testing.TB, seed uint64, journeys []loadgen.JourneySpec, addresses ...string) []loadgen.Record {
	t.Helper()
	schedule, err := loadgen.Draw(loadgen.Plan{
		Seed: seed, Pacer: pacer.Constant{PerS: 400}, Duration: 101 * time.Millisecond, Journeys: journeys,
	})
	if err != nil {
		t.Fatal(err)
	}
	tr, err := transport.NewWire(transport.Config{Targets: []transport.Target{{Name: "test", Addresses: addresses, Connections: 2}}})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	if err := tr.Settle(context.Background()); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var records []loadgen.Record
	runner := loadgen.Runner{Transport: tr}
	if _, err := runner.Run(context.Background(), schedule, time.Now(), loadgen.SinkFunc(func(r *loadgen.Record) {
		mu.Lock()
		defer mu.Unlock()
		records = append(records, *r)
	})); err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(records, func(a, b loadgen.Record) int { return a.Seq - b.Seq })
	if len(records) != len(schedule.Arrivals) || len(records) < 30 {
		t.Fatalf("%d records of %d arrivals", len(records), len(schedule.Arrivals))
	}
	return records
}

// called is a method of the server with its data.
func called(t testing.TB, target, method, text string, o DataOptions) (*Method, *Data) {
	t.Helper()
	m, err := Resolve(context.Background(), Source{Target: target}, "grpc.testing.TestService/"+method)
	if err != nil {
		t.Fatal(err)
	}
	d, err := ParseData(m, text, o)
	if err != nil {
		t.Fatal(err)
	}
	return m, d
}

func TestJourneysOfEveryKind(t *testing.T) {
	const outputs = `{"response_parameters": [{"size": 10}, {"size": 20}, {"size": 30}]}`
	for _, c := range []struct {
		name, method, data string
		options            JourneyOptions
		want               loadgen.Decision
		messages           int64 // of an answer, if more than one
		received           int   // by each call of a stream
	}{
		{name: "unary", method: "UnaryCall", data: `{"response_size": 100}`, want: ok},
		{name: "nothing", method: "EmptyCall", want: ok},
		{name: "server streaming", method: "StreamingOutputCall", data: outputs, want: ok, messages: 3, received: 1},
		{name: "client streaming", method: "StreamingInputCall", data: `[{"payload": {"body": "AAEC"}}, {}, {}]`, want: ok, received: 3},
		{name: "client streaming, repeated", method: "StreamingInputCall", data: `[{"payload": {"body": "AAEC"}}, {}]`, options: JourneyOptions{Requests: 7}, want: ok, received: 7},
		{name: "client streaming, templated", method: "StreamingInputCall", data: `{"payload": {"body": "{{.Choice "AAEC"}}"}}`, options: JourneyOptions{Requests: 5}, want: ok, received: 5},
		{name: "client streaming, by protojson", method: "StreamingInputCall", data: `{"payload": {"body": "{{print "AAEC"}}"}}`, options: JourneyOptions{Requests: 5}, want: ok, received: 5},
		{name: "bidirectional", method: "FullDuplexCall", data: outputs, options: JourneyOptions{Requests: 2}, want: ok, messages: 6, received: 2},
		{name: "half duplex", method: "HalfDuplexCall", data: outputs, want: ok, messages: 3, received: 1},
		{name: "enough messages", method: "StreamingOutputCall", data: outputs, options: JourneyOptions{Check: Check{MessagesMin: 3}}, want: ok, messages: 3, received: 1},
		{
			name: "too few messages", method: "StreamingOutputCall", data: outputs, options: JourneyOptions{Check: Check{MessagesMin: 4}}, messages: 3, received: 1,
			want: loadgen.Decision{Outcome: loadgen.Failed, Code: CodeTooFew, Err: "answered with 3 messages; at least 4 are expected", Own: true},
		},
		{
			name: "an error", method: "UnaryCall", data: `{"response_status": {"code": 5, "message": "no such thing"}}`,
			want: loadgen.Decision{Outcome: loadgen.Failed, Code: "NOT_FOUND", Err: "no such thing"},
		},
		{
			name: "an error of a write", method: "UnaryCall", data: `{"response_status": {"code": 13, "message": "oh"}}`, options: JourneyOptions{Write: true},
			want: loadgen.Decision{Outcome: loadgen.Unknown, Code: "INTERNAL", Err: "oh"},
		},
		{
			name: "an expected error", method: "UnaryCall", data: `{"response_status": {"code": 5}}`,
			options: JourneyOptions{Check: Check{Codes: []codes.Code{codes.OK, codes.NotFound}}}, want: loadgen.Decision{Outcome: loadgen.OK, Code: "NOT_FOUND"},
		},
		{
			name: "an error expected in vain", method: "EmptyCall", options: JourneyOptions{Check: Check{Codes: []codes.Code{codes.NotFound}}},
			want: loadgen.Decision{Outcome: loadgen.Failed, Code: "OK", Err: "answered OK where an error is expected"},
		},
		{name: "an answer within bounds", method: "UnaryCall", data: `{"response_size": 100}`, options: JourneyOptions{ReplyMaxBytes: 200}, want: ok},
		{
			name: "a long answer", method: "UnaryCall", data: `{"response_size": 1000}`, options: JourneyOptions{ReplyMaxBytes: 200},
			want: loadgen.Decision{Outcome: loadgen.Failed, Code: "RESOURCE_EXHAUSTED", Err: "the answer is longer than 200 bytes", Own: true},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			kept := &seen{}
			target := serve(t, withReflection, kept.options()...)
			m, d := called(t, target, c.method, c.data, DataOptions{})
			c.options.Patience = 10 * time.Second
			j, err := m.Journey(d, c.options)
			if err != nil {
				t.Fatal(err)
			}
			records := perform(t, 1, []loadgen.JourneySpec{j}, target)
			for _, r := range records {
				if r.Decision != c.want || r.Messages != c.messages || r.Name != "grpc.testing.TestService/"+c.method {
					t.Fatalf("%s: %+v with %d messages, want %+v with %d", r.Name, r.Decision, r.Messages, c.want, c.messages)
				}
			}
			for _, n := range kept.all().perCall {
				if n != c.received {
					t.Fatalf("a call brought %d messages, want %d", n, c.received)
				}
			}
		})
	}
}

var ok = loadgen.Decision{Outcome: loadgen.OK, Code: "OK"}

// TestTheSameSeedSendsTheSame has a server keep what it gets, under two runs of
// one seed and one of another.
func TestTheSameSeedSendsTheSame(t *testing.T) {
	run := func(seed uint64) []string {
		kept := &seen{}
		target := serve(t, withReflection, kept.options()...)
		m, d := called(t, target, "UnaryCall", `{"response_status": {"message": "{{.UUID}}"}, "response_size": {{.Random 1 1000}}, "payload": {"body": "{{.CSV "body"}}"}}`,
			DataOptions{Table: table(t, "body\nAAEC\nBBEC\nCCEC\n"), RandomRows: true})
		metadata, err := ParseMetadata([]string{"x-id: {{.UUID}}", "x-fixed: yes"}, DataOptions{})
		if err != nil {
			t.Fatal(err)
		}
		j, err := m.Journey(d, JourneyOptions{Name: "pay", Patience: 10 * time.Second, Metadata: metadata})
		if err != nil {
			t.Fatal(err)
		}
		perform(t, seed, []loadgen.JourneySpec{j}, target)
		var all []string
		for _, message := range kept.all().messages {
			encoded, err := proto.MarshalOptions{Deterministic: true}.Marshal(message)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, string(encoded))
		}
		for _, md := range kept.all().metadata {
			all = append(all, strings.Join(md.Get("x-id"), " ")+strings.Join(md.Get("x-fixed"), " "))
		}
		slices.Sort(all) // in what order they come is the network's
		return all
	}
	one, same, other := run(1), run(1), run(2)
	if len(one) < 60 || !slices.Equal(one, same) {
		t.Errorf("%d and %d requests of the same seed differ", len(one), len(same))
	}
	if len(slices.Compact(slices.Clone(one))) != len(one) {
		t.Error("requests of one load are the same")
	}
	for _, o := range other {
		if slices.Contains(one, o) {
			t.Error("another seed gives the same request")
		}
	}
}

// TestAWarmUpSendsOtherData: keys of its writes would be duplicates in the load
// that follows. The numbers and the rows go on.
func TestAWarmUpSendsOtherData(t *testing.T) {
	const template = `{"response_status": {"message": "{{.UUID}} {{.RandomString 12}}"}, "response_size": {{.Seq}}, "payload": {"body": "{{.CSV "body"}}"}}`
	target := serve(t, withReflection)
	m, d := called(t, target, "UnaryCall", template, DataOptions{Table: table(t, "body\nAAEC\nBBEC\nCCEC\n")})
	metadata, err := ParseMetadata([]string{"x-id: {{.UUID}}"}, DataOptions{})
	if err != nil {
		t.Fatal(err)
	}
	j, err := m.Journey(d, JourneyOptions{Patience: time.Second, Metadata: metadata})
	if err != nil {
		t.Fatal(err)
	}
	draw := func(load string) *loadgen.Schedule {
		s, err := loadgen.Draw(loadgen.Plan{Seed: 1, Load: load, Pacer: pacer.Constant{PerS: 100}, Duration: time.Second, Journeys: []loadgen.JourneySpec{j}})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	sent := func(s *loadgen.Schedule, seq int) (*testgrpc.SimpleRequest, string) {
		call := &transport.Call{}
		if err := j.Steps[0].Build(&loadgen.Visit{Schedule: s, Seq: seq, Intended: time.Unix(0, 0)}, call); err != nil {
			t.Fatal(err)
		}
		request := &testgrpc.SimpleRequest{}
		if err := proto.Unmarshal(call.Request[transport.PrefixBytes:], request); err != nil {
			t.Fatal(err)
		}
		return request, call.Extra[0].Value
	}
	warmUp, main := draw("warmup"), draw("")
	one, id := sent(warmUp, 7)
	if other, otherID := sent(main, 7); other.GetResponseStatus().GetMessage() == one.GetResponseStatus().GetMessage() || otherID == id {
		t.Errorf("requests of one number are the same in both loads: %v", other)
	}
	main.GoesOnAfter(warmUp, false)
	rows := []string{"\x00\x01\x02", "\x04\x11\x02", "\x08\x21\x02"}
	seen := map[string]bool{}
	for i, s := range []*loadgen.Schedule{warmUp, main} {
		for seq := range 99 {
			r, id := sent(s, seq)
			if text := r.GetResponseStatus().GetMessage(); seen[text] || seen[id] {
				t.Fatalf("%s and %s of load %d have been sent before", text, id, i)
			} else {
				seen[text], seen[id] = true, true
			}
			number := 99*i + seq
			if int(r.GetResponseSize()) != number || string(r.GetPayload().GetBody()) != rows[number%3] {
				t.Fatalf("request %d of load %d: %v", seq, i, r)
			}
		}
	}
	renamed := *main
	renamed.Load += " of this run"
	one, id = sent(main, 7)
	other, otherID := sent(&renamed, 7)
	if !proto.Equal(one, other) || id != otherID {
		t.Errorf("a load that is renamed sends %v, not %v", other, one)
	}
}

// TestTheHashCoversData: of two loads that send at the same times.
func TestTheHashCoversData(t *testing.T) {
	target := serve(t, withReflection)
	hash := func(seed uint64, text, header string, o DataOptions) string {
		m, d := called(t, target, "UnaryCall", text, o)
		metadata, err := ParseMetadata([]string{header}, o)
		if err != nil {
			t.Fatal(err)
		}
		j, err := m.Journey(d, JourneyOptions{Patience: time.Second, Metadata: metadata})
		if err != nil {
			t.Fatal(err)
		}
		s, err := loadgen.Draw(loadgen.Plan{Seed: seed, Pacer: pacer.Constant{PerS: 10}, Duration: time.Second, Journeys: []loadgen.JourneySpec{j}})
		if err != nil {
			t.Fatal(err)
		}
		return s.SHA256()
	}
	const fixed, drawn, row = `{"response_size": 1}`, `{"response_size": {{.Random 1 9}}}`, `{"payload": {"body": "{{.CSV "body"}}"}}`
	rows := DataOptions{Table: table(t, "body\nAAEC\n")}
	base := hash(1, fixed, "x-a: 1", DataOptions{})
	if hash(2, fixed, "x-a: 1", DataOptions{}) != base || hash(1, fixed, "x-a: 1", DataOptions{Worker: 3}) != base {
		t.Error("the same data gives another hash")
	}
	if hash(1, fixed, "x-a: a secret", DataOptions{}) != base {
		t.Error("the hash lets values of metadata be guessed")
	}
	apart := []string{
		base, hash(1, `{"response_size": 2}`, "x-a: 1", DataOptions{}), hash(1, fixed, "x-b: 1", DataOptions{}),
		hash(1, drawn, "x-a: 1", DataOptions{}), hash(2, drawn, "x-a: 1", DataOptions{}),
		hash(1, fixed, "x-a: {{.UUID}}", DataOptions{}), hash(2, fixed, "x-a: {{.UUID}}", DataOptions{}),
		hash(1, row, "x-a: 1", rows), hash(1, row, "x-a: 1", DataOptions{Table: rows.Table, RandomRows: true}),
		hash(1, row, "x-a: 1", DataOptions{Table: table(t, "body\nBBEC\n")}),
	}
	for i := range apart {
		if slices.Contains(apart[:i], apart[i]) {
			t.Errorf("load %d has the hash of another", i)
		}
	}
}

// TestMessagesTakeTurns for calls that send one, and addresses do: exactly, turn
// by turn, and over a load as evenly as turns are. Up to four journeys that are
// due at once share a turn, so that of turns of one and of four in alternation
// one address sees a fifth of the calls.
func TestMessagesTakeTurns(t *testing.T) {
	var kept [2]seen
	var targets []string
	for i := range kept {
		targets = append(targets, serve(t, withReflection, kept[i].options()...))
	}
	m, d := called(t, targets[0], "UnaryCall", `[{"response_size": 1}, {"response_size": 2}, {"response_size": {{.Choice 3}}}]`, DataOptions{})
	j, err := m.Journey(d, JourneyOptions{Patience: 10 * time.Second, Addresses: 2})
	if err != nil {
		t.Fatal(err)
	}
	records := perform(t, 1, []loadgen.JourneySpec{j}, targets...)
	var sizes [4]int
	for i := range kept {
		for _, message := range kept[i].all().messages {
			sizes[message.(*testgrpc.SimpleRequest).GetResponseSize()]++
		}
		if n := len(kept[i].all().metadata); n < (len(records)-4)/5 {
			t.Errorf("one of two addresses got %d of %d calls", n, len(records))
		}
	}
	for _, n := range sizes[1:] {
		if n < len(records)/3 || n > len(records)/3+1 {
			t.Errorf("of %d calls, the messages were sent %v times", len(records), sizes)
		}
	}
	for turn := range 6 {
		call := &transport.Call{Turn: turn}
		if err := j.Steps[0].Build(&loadgen.Visit{Schedule: &loadgen.Schedule{}}, call); err != nil {
			t.Fatal(err)
		}
		if call.Shard != turn%2 || call.Turn != turn/2 {
			t.Errorf("turn %d goes to address %d, connection %d; want %d, %d", turn, call.Shard, call.Turn, turn%2, turn/2)
		}
	}
}

func TestAuthorityAndBinaryMetadataArrive(t *testing.T) {
	kept := &seen{}
	target := serve(t, withReflection, kept.options()...)
	m, d := called(t, target, "EmptyCall", "", DataOptions{})
	metadata, err := ParseMetadata([]string{"x-any-bin: AP8=", "x-worker: {{.Worker}}"}, DataOptions{Worker: 4})
	if err != nil {
		t.Fatal(err)
	}
	j, err := m.Journey(d, JourneyOptions{Patience: 10 * time.Second, Authority: "bank.example", Metadata: metadata})
	if err != nil {
		t.Fatal(err)
	}
	perform(t, 1, []loadgen.JourneySpec{j}, target)
	for _, md := range kept.all().metadata {
		if got := fmt.Sprintf("%q %q %q", md.Get(":authority"), md.Get("x-any-bin"), md.Get("x-worker")); got != `["bank.example"] ["\x00\xff"] ["4"]` {
			t.Fatalf("it is %s", got)
		}
	}
}

func TestJourneysThatCannotBe(t *testing.T) {
	one, send, old := described(t, "One"), described(t, "Send"), described(t, "Old")
	d, err := ParseData(one, "", DataOptions{})
	if err != nil {
		t.Fatal(err)
	}
	long, err := ParseData(send, `{"text": "`+strings.Repeat("x", 1000)+`"}`, DataOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		method *Method
		data   *Data
		o      JourneyOptions
		want   string
	}{
		{one, nil, JourneyOptions{}, "a call without data: the empty message is {}"},
		{old, d, JourneyOptions{}, "test.v1.Every/Old takes a test.imported.Old; the data is a test.v1.Message"},
		{one, d, JourneyOptions{Requests: 3}, "test.v1.Every/One is unary: it takes one message, not 3"},
		{send, d, JourneyOptions{Requests: -3}, "-3 messages a stream: say 1 to 1000000"},
		{send, long, JourneyOptions{Requests: 1_000_000}, "test.v1.Every/Send: a stream of 1000000 messages is more than the 64 MB that one call may send"},
		{one, d, JourneyOptions{Check: Check{MessagesMin: 2}}, "test.v1.Every/One is unary: it answers with one message, not with at least 2"},
		{one, d, JourneyOptions{Check: Check{MessagesMin: -2}}, "test.v1.Every/One: at least -2 messages are no number of messages"},
	} {
		_, err := c.method.Journey(c.data, c.o)
		refuses(t, err, c.want)
	}
}

func TestCodes(t *testing.T) {
	got, err := ParseCodes([]string{"NOT_FOUND", "NotFound", "not_found", "5", "OK", "Canceled", "CANCELLED"})
	want := []codes.Code{codes.NotFound, codes.NotFound, codes.NotFound, codes.NotFound, codes.OK, codes.Canceled, codes.Canceled}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("they are %v, %v", got, err)
	}
	for _, text := range []string{"17", "", "NOPE", "-1"} {
		_, err = ParseCodes([]string{text})
		refuses(t, err, fmt.Sprintf("no gRPC status %q; they are OK, CANCELLED, UNKNOWN, INVALID_ARGUMENT, DEADLINE_EXCEEDED, NOT_FOUND, ALREADY_EXISTS, "+
			"PERMISSION_DENIED, RESOURCE_EXHAUSTED, FAILED_PRECONDITION, ABORTED, OUT_OF_RANGE, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS, UNAUTHENTICATED", text))
	}
}

// TestBuildingTakesNoMemory of static data, which is what most loads send.
func TestBuildingTakesNoMemory(t *testing.T) {
	m := described(t, "One")
	for _, text := range []string{`{"text": "x"}`, `{"text": "{{.Seq}}"}`} {
		d, err := ParseData(m, text, DataOptions{})
		if err != nil {
			t.Fatal(err)
		}
		j, err := m.Journey(d, JourneyOptions{Patience: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		v := &loadgen.Visit{Schedule: &loadgen.Schedule{Seed: 1}, Spec: &j, Intended: time.Unix(1e9, 0)}
		c := &transport.Call{}
		var sent [2][]byte
		build := func() {
			if err := j.Steps[0].Build(v, c); err != nil {
				t.Fatal(err)
			}
			sent[0], sent[1] = sent[1], c.Request
		}
		if n := testing.AllocsPerRun(100, build); n > 0 {
			t.Errorf("%s: a call takes %v allocations", text, n)
		}
		if d.Static() && &sent[0][0] != &sent[1][0] {
			t.Error("static data is not shared")
		}
		if !bytes.HasPrefix(sent[1], []byte{0, 0, 0, 0}) {
			t.Errorf("it sends %v", sent[1])
		}
	}
}

// TestAnAnswerWithoutAMessageIsNoAnswer, which no generated code gives.
func TestAnAnswerWithoutAMessageIsNoAnswer(t *testing.T) {
	m := described(t, "One")
	target := serve(t, nil, grpc.UnknownServiceHandler(func(any, grpc.ServerStream) error { return nil }))
	d, err := ParseData(m, "", DataOptions{})
	if err != nil {
		t.Fatal(err)
	}
	j, err := m.Journey(d, JourneyOptions{Patience: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	want := loadgen.Decision{Outcome: loadgen.Failed, Code: "INTERNAL", Err: "answered OK with 0 messages, not one", Own: true}
	for _, r := range perform(t, 1, []loadgen.JourneySpec{j}, target) {
		if r.Decision != want {
			t.Fatalf("it is %+v", r.Decision)
		}
	}
}
