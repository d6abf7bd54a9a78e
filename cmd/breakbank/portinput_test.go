package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"google.golang.org/protobuf/proto"

	adminv1 "breakbank/proto/admin/v1"
	bankv1 "breakbank/proto/bank/v1"
	bookv1 "breakbank/proto/book/v1"
	"breakbank/services/bank"
)

// canary is in every hostile request, and may be in no answer and in no log.
const canary = "canary-5f0c1b9e2d7a4683b1d2"

// hostile is a request, and what may come of it: an outcome, or one "or"
// another.
type hostile struct {
	name string
	send func(address string) answer
	want string
}

// overMiB is a little more than the 1 MiB that net/http lets a head be unless
// it is told otherwise.
const overMiB = 1<<20 + 16<<10

// Large ones, made once.
var (
	pad      = strings.Repeat(canary, overMiB/len(canary)+1)
	longLine = []byte("GET /" + pad + " HTTP/1.1\r\nHost: localhost\r\n\r\n")
	longHead = []byte("GET / HTTP/1.1\r\nHost: localhost\r\n" + strings.Repeat("X-Pad: "+pad[:4000]+"\r\n", overMiB/4000+1) + "\r\n")
	fiveMiB  = large(5 << 20)
)

// noises are what is hardly a request at all. The wanted outcomes are in this
// order.
func noises(garbage, line, head, frame string) []hostile {
	return []hostile{
		{"random bytes", raw(randomBytes()), garbage},
		{"a request line of 1 MiB", raw(longLine), line},
		{"1 MiB of headers", raw(longHead), head},
		{"an HTTP/2 frame of 16 MiB", raw(brokenFrame()), frame},
	}
}

// randomBytes are the same ones every time, and end so that nobody waits for
// more.
func randomBytes() []byte {
	random := rand.NewChaCha8([32]byte{6})
	bytes := make([]byte, 4<<10)
	_, _ = random.Read(bytes) // It cannot fail.
	return append(bytes, "\r\n"+canary+"\r\n\r\n"...)
}

// brokenFrame is a good beginning, and then a frame that claims to be larger
// than any may be (RFC 9113, 4.2).
func brokenFrame() []byte {
	var b bytes.Buffer
	b.WriteString(http2.ClientPreface)
	_ = http2.NewFramer(&b, nil).WriteSettings() // Into memory.
	b.Write([]byte{0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1})
	b.WriteString(canary)
	return b.Bytes()
}

// secretive are header fields as callers send them, of no concern to whoever
// is called.
var secretive = [][2]string{{"authorization", "Bearer " + canary}, {"cookie", "session=" + canary}, {"x-request-id", "not an id: " + canary}}

// calls are what can be wrong with a gRPC call to a method, before anybody
// looks at what it says. The fields are those that a good call has.
func calls(authority, method string, fields [][2]string) []hostile {
	service, _, _ := strings.Cut(strings.TrimPrefix(method, "/"), "/")
	fields = append(fields[:len(fields):len(fields)], secretive[1:]...)
	call := func(body []byte) func(string) answer {
		return overGRPC(grpcCall{authority: authority, method: method, fields: fields, body: body})
	}
	return []hostile{
		{"a method that is not there", overGRPC(grpcCall{authority: authority, method: "/" + service + "/Abscond", fields: fields, body: framed(nil)}), "gRPC Unimplemented"},
		{"no protobuf", call(framed([]byte("\xff\xff\xff" + canary))), "gRPC Internal"},
		{"a message shorter than its prefix says", call(append(prefix(0, 1000), canary...)), "gRPC Internal"},
		{"a message of 4 GiB, it says", call(append(prefix(0, 1<<32-1), canary...)), "gRPC ResourceExhausted"},
		{"compressed, it does not say how", call(append(prefix(1, len(canary)), canary...)), "gRPC Internal"},
		{"a message of 5 MiB", call(framed(fiveMiB)), "gRPC ResourceExhausted"},
	}
}

// large is a valid message of any type, for whom the field is unknown.
func large(size int) []byte {
	const field = 1000<<3 | 2 // A string, with a number that no message has.
	length := size - 8
	message := []byte{field&0x7f | 0x80, field >> 7}
	for n := length; ; n >>= 7 {
		if n < 0x80 {
			message = append(message, byte(n))
			break
		}
		message = append(message, byte(n)|0x80)
	}
	return append(message, bytes.Repeat([]byte(canary), length/len(canary)+1)[:length]...)
}

// strangers are calls that somebody else was meant to have, or nobody. The
// message is one that would be executed.
func strangers(authority, method string, message proto.Message) []hostile {
	body := framed(encoded(message))
	call := func(authority string, fields ...[2]string) func(string) answer {
		return overGRPC(grpcCall{authority: authority, method: method, fields: append(fields, secretive...), body: body})
	}
	return []hostile{
		{"for another service", call("somebody-else"), "gRPC Unavailable wrong-service"},
		{"for nobody", call(""), "gRPC Unavailable wrong-service"},
		{"for another instance", call(authority, [2]string{"bb-instance-want", "somebody-else"}), "gRPC Unavailable wrong-instance"},
	}
}

// bloated are calls with more metadata than is taken. Their message would be
// executed.
func bloated(authority, method string, message proto.Message, want string) []hostile {
	call := func(fields ...[2]string) func(string) answer {
		return overGRPC(grpcCall{authority: authority, method: method, fields: fields, body: framed(encoded(message))})
	}
	return []hostile{
		{"a hundred fields of 1 KB", call(many(100)...), want},
		{"a field of 1 MiB", call([2]string{"x-pad", pad}), closed},
	}
}

// many are so many header fields of a kilobyte each, the same, so that they
// take a byte each to send.
func many(n int) [][2]string {
	fields := make([][2]string, n)
	for i := range fields {
		fields[i] = [2]string{"x-pad", pad[:1000]}
	}
	return fields
}

// nonsense are messages that can be read and not be meant.
func nonsense(authority, method, want string, messages ...proto.Message) []hostile {
	var all []hostile
	for _, m := range messages {
		text := []rune(fmt.Sprint(m))
		all = append(all, hostile{
			"nonsense: " + string(text[:min(len(text), 60)]),
			overGRPC(grpcCall{authority: authority, method: method, fields: secretive, body: framed(encoded(m))}), want,
		})
	}
	return all
}

func encoded(m proto.Message) []byte {
	b, err := proto.Marshal(m)
	if err != nil {
		panic(err) // A message of ours.
	}
	return b
}

// What each service would do if it did not know better, and what it knows
// better than to do.
var (
	long = strings.Repeat("l", 80<<10) // More than a header holds.

	authorise = &bankv1.AuthoriseRequest{IdempotencyKey: "hostile", CardNumber: bank.CardNumber(7), AmountMinor: 100, Merchant: canary}
	receive   = &bankv1.ReceiveInRequest{IdempotencyKey: "hostile", ToAccount: bank.CurrentAccount(7), AmountMinor: 100, Reference: canary}
	post      = &bankv1.PostRequest{IdempotencyKey: "hostile", FromAccount: bank.CurrentAccount(7), ToAccount: bank.CurrentAccount(8), AmountMinor: 100, Reference: canary}
	apply     = &bookv1.ApplyRequest{Store: bank.Stores[0], Operation: &bookv1.Operation{
		Key: "hostile", Kind: bookv1.OperationKind_OPERATION_KIND_POST,
		DebitAccount: bank.CurrentAccount(7), CreditAccount: bank.CurrentAccount(8), AmountMinor: 100, Reference: canary,
	}}
)

// twisted is a message with something else in it.
func twisted[M proto.Message](m M, twist func(M)) proto.Message {
	other := proto.Clone(m).(M)
	twist(other)
	return other
}

// web is a request to a port that speaks HTTP, with a version of it.
func web(t *testing.T, version int, name string, r httpRequest, want string) hostile {
	return hostile{fmt.Sprintf("HTTP/%d: %s", version, name), overHTTP(t, version, r), want}
}

// asked is a GraphQL request.
func asked(query string) []byte {
	body, err := json.Marshal(map[string]any{"query": query, "variables": map[string]any{"unused": canary}})
	if err != nil {
		panic(err) // It is a string.
	}
	return body
}

// queries are what the gateway refuses, over one version of HTTP.
func queries(t *testing.T, version int) []hostile {
	fields := http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer " + canary}, "Cookie": {canary}, "X-Request-Id": {"not an id: " + canary}}
	ask := func(name string, body []byte, want string) hostile {
		return web(t, version, name, httpRequest{http.MethodPost, "/graphql", fields, body}, want)
	}
	aliases := func(n int) string {
		var q strings.Builder
		q.WriteString("{")
		for i := range n {
			fmt.Fprintf(&q, `a%d:__typename `, i)
		}
		return q.String() + "}"
	}
	return []hostile{
		ask("no JSON", []byte("{"+canary), "HTTP 400"),
		ask("no GraphQL", asked("query {{{"), "HTTP 400"),
		ask("a field that is not there", asked(`{account(customerId:"`+canary+`"){secrets}}`), "HTTP 400"),
		ask("nested deeply", asked(strings.Repeat("{account", 500)+strings.Repeat("}", 500)), "HTTP 400"),
		ask("nested deeply in JSON", []byte(`{"query":"{__typename}","variables":`+strings.Repeat("[", 20_000)+strings.Repeat("]", 20_000)+"}"), "HTTP 400"),
		ask("10,000 aliases", asked(aliases(10_000)), "HTTP 413"),
		ask("2,000 aliases", asked(aliases(2000)), "HTTP 400"),
		ask("introspection", asked(`{__schema{types{name}}}`), "HTTP 400"),
		ask("a body of 5 MiB", asked(pad+pad+pad+pad+pad), "HTTP 413"),
		web(t, version, "no JSON, it says", httpRequest{http.MethodPost, "/graphql", http.Header{"Content-Type": {"text/" + canary}}, []byte(canary)}, "HTTP 415"),
		web(t, version, "a wrong method", httpRequest{http.MethodDelete, "/graphql", fields, nil}, "HTTP 405"),
		web(t, version, "a path that is not there", httpRequest{http.MethodGet, "/../../etc/passwd", fields, nil}, "HTTP 404"),
	}
}

// objects are what an API server refuses.
func objects(t *testing.T) []hostile {
	fields := http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer " + canary}}
	services := "/api/v1/namespaces/default/services"
	named := func(name string, annotation int) []byte {
		return fmt.Appendf(nil, `{"apiVersion":"v1","kind":"Service","metadata":{"name":%q,"annotations":{"pad":%q}}}`, name, strings.Repeat("x", annotation))
	}
	send := func(name, method, path string, body []byte, want string) hostile {
		return web(t, 1, name, httpRequest{method, path, fields, body}, want)
	}
	return []hostile{
		send("no JSON", http.MethodPost, services, []byte("{"+canary), "HTTP 400"),
		send("another kind", http.MethodPost, services, []byte(`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"hostile"},"data":"`+canary+`"}`), "HTTP 400"),
		send("an object of another shape", http.MethodPost, services, []byte(`{"apiVersion":"v1","kind":"Service","metadata":{"name":"hostile"},"spec":"`+canary+`"}`), "HTTP 400"),
		send("nested deeply", http.MethodPost, services, []byte(strings.Repeat(`{"metadata":`, 100_000)), "HTTP 400"),
		send("an impossible name", http.MethodPost, services, named("../../"+strings.ToUpper("hostile"), 1), "HTTP 422"),
		send("a kind that is not there", http.MethodGet, "/api/v1/namespaces/default/secrets", nil, "HTTP 404"),
		send("a namespace that is not there", http.MethodPost, "/api/v1/namespaces/kube-system/services", named("hostile", 1), "HTTP 404"),
		send("a wrong method", http.MethodPost, services+"/ledger", named("ledger", 1), "HTTP 405"),
		send("deleting all", http.MethodDelete, services, nil, "HTTP 405"),
		send("deleting, in no JSON", http.MethodDelete, services+"/ledger", []byte("{"+canary), "HTTP 400"),
		send("a wrong version", http.MethodGet, services+"?resourceVersion=-1", nil, "HTTP 400"),
		send("an object larger than etcd takes", http.MethodPost, services, named("hostile", 1800<<10), "HTTP 413"),
		send("an object larger than etcd's client sends", http.MethodPost, services, named("hostile", 2500<<10), "HTTP 413"),
		send("an object of 5 MiB", http.MethodPost, services, named("hostile", 5<<20), "HTTP 413"),
		web(t, 1, "another media type", httpRequest{http.MethodPost, services, http.Header{"Content-Type": {"application/x-hostile"}}, []byte(canary)}, "HTTP 415"),
		web(t, 1, "a patch of no kind", httpRequest{http.MethodPatch, services + "/ledger", fields, []byte(`{"metadata":null,"x":"` + canary + `"}`)}, "HTTP 415"),
	}
}

// adminRequests are what every admin listener refuses: the method and message
// are of a call that it would execute for who has the token.
func adminRequests(t *testing.T, token, method string, message proto.Message) []hostile {
	bearer := [][2]string{{"authorization", "Bearer " + token}}
	call := func(fields ...[2]string) func(string) answer {
		return overGRPC(grpcCall{method: method, fields: fields, body: framed(encoded(message))})
	}
	get := func(name, method, path, authorization string, body []byte, want string) hostile {
		fields := http.Header{"Cookie": {canary}}
		if authorization != "" {
			fields["Authorization"] = []string{authorization}
		}
		return web(t, 1, name, httpRequest{method, path, fields, body}, want)
	}
	all := []hostile{
		{"a call without a token", call(secretive[1:]...), "gRPC Unauthenticated"},
		{"a call with a wrong token", call(secretive...), "gRPC Unauthenticated"},
		{"a call with two tokens", call(bearer[0], secretive[0]), "gRPC Unauthenticated"},
		{"a call with the token as a password", call([2]string{"authorization", "Basic " + token}), "gRPC Unauthenticated"},
		{"a call with twenty fields of 1 KB", call(append(many(20), bearer...)...), "HTTP 431"},
		{"a call with a field of 1 MiB", call(bearer[0], [2]string{"x-pad", pad}), closed},
	}
	for _, path := range []string{"/metrics", "/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/cmdline", "/not-there"} {
		all = append(all,
			get("no token, "+path, http.MethodGet, path, "", nil, "HTTP 401"),
			get("a wrong token, "+path, http.MethodGet, path, "Bearer "+canary, nil, "HTTP 401"))
	}
	all = append(all,
		get("a path that is not there", http.MethodGet, "/not-there", "Bearer "+token, nil, "HTTP 404"),
		get("a wrong method", http.MethodDelete, "/metrics", "Bearer "+token, nil, "HTTP 405"),
		get("a body of 5 MiB", http.MethodPost, "/metrics", "Bearer "+token, fiveMiB, "HTTP 413"),
		get("a body without a token", http.MethodPost, "/metrics", "", fiveMiB, "HTTP 401"),
	)
	all = append(all, calls("", method, bearer)...)
	return append(all, noises("HTTP 400", "HTTP 431", "HTTP 431", closed)...)
}

// What an admin listener would do.
var (
	endPart     = &adminv1.EndPartRequest{}
	injectFault = &adminv1.InjectFaultRequest{Name: "process-kill", Target: "book"}
)
