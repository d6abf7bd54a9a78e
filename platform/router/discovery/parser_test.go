package discovery

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// plainRecord is an Endpoints object as encoding/json reads it: slow, and sure.
type plainRecord struct {
	Metadata struct {
		Name            string `json:"name"`
		Namespace       string `json:"namespace"`
		ResourceVersion string `json:"resourceVersion"`
	} `json:"metadata"`
	Subsets *[]struct {
		Addresses []struct {
			IP        string `json:"ip"`
			TargetRef *struct {
				Name string `json:"name"`
			} `json:"targetRef"`
		} `json:"addresses"`
		Ports []struct {
			Port int `json:"port"`
		} `json:"ports"`
	} `json:"subsets"`
}

func plainParse(wire []byte) (Entry, error) {
	var r plainRecord
	if err := json.Unmarshal(wire, &r); err != nil {
		return Entry{}, err
	}
	if r.Metadata.Name == "" {
		return Entry{}, errors.New("no name")
	}
	e := Entry{Service: r.Metadata.Name}
	if v := r.Metadata.ResourceVersion; v != "" {
		var err error
		if e.Revision, err = strconv.ParseInt(v, 10, 64); err != nil {
			return Entry{}, err
		}
	}
	if r.Subsets == nil {
		return e, nil
	}
	for _, subset := range *r.Subsets {
		for _, a := range subset.Addresses {
			for _, p := range subset.Ports {
				ep := Endpoint{Addr: net.JoinHostPort(a.IP, strconv.Itoa(p.Port))}
				if a.TargetRef != nil {
					ep.Instance = a.TargetRef.Name
				}
				e.Endpoints = append(e.Endpoints, ep)
			}
		}
	}
	return e, nil
}

// TestParserReadsWhatIsThere: whatever a record looks like, the parser reads
// what encoding/json would, or refuses what it would.
func TestParserReadsWhatIsThere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := []byte(drawRecord(t))
		if rapid.IntRange(0, 9).Draw(t, "torn") == 0 {
			text = text[:rapid.IntRange(0, len(text)).Draw(t, "at")]
		}
		want, wantErr := plainParse(text)
		got, err := linkerd2018.Parse(text)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%s\n%v, encoding/json says %v", text, err, wantErr)
		}
		if err == nil && !reflect.DeepEqual(got, want) {
			t.Fatalf("%s\n%+v, encoding/json says %+v", text, got, want)
		}
		// Who wants to know zones reads the same, whatever is said of them.
		zoned, zonedErr := linkerd2018.parse(text, newZones())
		if (err == nil) != (zonedErr == nil) || !slices.EqualFunc(got.Endpoints, zoned.Endpoints, Endpoint.is) {
			t.Fatalf("%s\n%+v, %v; with zones %+v, %v", text, got, err, zoned, zonedErr)
		}
	})
}

func drawRecord(t *rapid.T) string {
	pick := func(what string, of ...string) string { return rapid.SampledFrom(of).Draw(t, what) }
	address := func() string {
		return pick("address", `{"ip":"10.0.0.1","targetRef":{"kind":"Pod","name":"a-1"}}`, `{"ip":"::1","nodeName":"n"}`, `{}`, `null`,
			`{"targetRef":null,"ip":"h"}`, `{"ip":"h","nodeName":7,"zone":["a"]}`, `{"ip":"h","nodeName":null,"zone":"a"}`, `{"ip":7}`, `{"ip":null,"hostname":"h"}`, `"10.0.0.1"`)
	}
	port := func() string {
		return pick("port", `{"port":80}`, `{"port": 0}`, `{"name":"web","port":65535,"protocol":"TCP"}`, `{"port":"80"}`, `{"port":8.5}`, `null`, `{}`)
	}
	list := func(what string, each func() string) string {
		if rapid.IntRange(0, 9).Draw(t, what+" null") == 0 {
			return pick(what, `null`, `[]`, `{}`)
		}
		parts := make([]string, rapid.IntRange(0, 3).Draw(t, what))
		for i := range parts {
			parts[i] = each()
		}
		return "[" + strings.Join(parts, " , ") + "]"
	}
	subset := func() string {
		members := []string{`"addresses":` + list("addresses", address), `"ports":` + list("ports", port), `"notReadyAddresses":[{"ip":"x"}]`}
		return "{" + strings.Join(rapid.Permutation(members).Draw(t, "subset order"), ",") + "}"
	}
	members := []string{
		`"kind":"Endpoints"`,
		`"metadata":` + pick("metadata", `{"name":"ledger","resourceVersion":"7","labels":{"name":"x"}}`, `{"name":"led\u0067er"}`, `{"namespace":"default","name":"a"}`,
			`{"name":null}`, `{}`, `null`, `{"name":"a","resourceVersion":"x"}`, `{"name":5}`, `[]`),
		`"subsets":` + list("subsets", subset),
	}
	members = members[:rapid.IntRange(2, 3).Draw(t, "members")]
	return pick("space", "", " \n") + "{" + strings.Join(rapid.Permutation(members).Draw(t, "order"), ",") + "}" + pick("end", "", "\n", "x")
}

func TestParsersDifferInNullOnly(t *testing.T) {
	for _, subsets := range []string{``, `,"subsets":null`} {
		wire := []byte(`{"metadata":{"name":"pots"}` + subsets + `}`)
		if _, err := linkerd2017.Parse(wire); !errors.Is(err, ErrNullSubsets) {
			t.Errorf("2017, %q: %v", subsets, err)
		}
		if e, err := linkerd2018.Parse(wire); err != nil || e.Service != "pots" || len(e.Endpoints) != 0 {
			t.Errorf("2018, %q: %+v, %v", subsets, e, err)
		}
	}
	for _, parser := range Parsers {
		if e, err := parser.Parse([]byte(`{"metadata":{"name":"pots"},"subsets":[]}`)); err != nil || e.Service != "pots" {
			t.Errorf("%s: %+v, %v", parser.Name, e, err)
		}
	}
}

// Records of different namespaces are different services, whatever they are
// called.
func TestNamesOfOtherNamespacesDoNotCollide(t *testing.T) {
	seen := map[string]string{}
	for _, c := range []struct{ home, namespace, name, want string }{
		{"", "", "ledger", "ledger"},
		{"", "default", "pots", "pots"},
		{"", "prod", "ledger", "ledger.prod"},
		{"prod", "prod", "cards", "cards"},
		{"prod", "default", "ledger", "ledger.default"},
		{"", "default", "a.b", "a.b.default"}, // a leader election's, say
		{"", "b", "a", "a.b"},
	} {
		wire := fmt.Appendf(nil, `{"metadata":{"name":%q,"namespace":%q},"subsets":[]}`, c.name, c.namespace)
		p := linkerd2018.In(c.home)
		e, err := p.Parse(wire)
		if err != nil || e.Service != c.want || p.serviceOf(wire) != c.want {
			t.Errorf("%+v: %q, %q, %v", c, e.Service, p.serviceOf(wire), err)
		}
		if before, taken := seen[e.Service]; taken {
			t.Errorf("%+v collides with %s", c, before)
		}
		seen[e.Service] = c.namespace + "/" + c.name
	}
}

// Of several ports, the one for gRPC is taken: requests do not go where
// metrics are served.
func TestPortsForGRPCStandForAll(t *testing.T) {
	for ports, want := range map[string]string{
		`[{"port":1}]`:            "[h:1]",
		`[{"port":1},{"port":2}]`: "[h:1 h:2]",
		`[{"name":"metrics","port":1},{"name":"grpc","port":2}]`:                                   "[h:2]",
		`[{"name":"grpc-admin","port":1},{"appProtocol":"kubernetes.io/h2c","port":2},{"port":3}]`: "[h:1 h:2]",
		`[{"name":"dns","protocol":"UDP","port":1},{"protocol":"TCP","port":2}]`:                   "[h:2]",
	} {
		e, err := linkerd2018.Parse([]byte(`{"metadata":{"name":"a"},"subsets":[{"ports":` + ports + `,"addresses":[{"ip":"h"}]}]}`))
		got := []string{}
		for _, ep := range e.Endpoints {
			got = append(got, ep.Addr)
		}
		if err != nil || fmt.Sprint(got) != want {
			t.Errorf("%s: %v, %v, want %s", ports, got, err, want)
		}
	}
}

// tenAddresses is a record of the size that a service of ten instances has.
func tenAddresses(service string) []byte {
	addresses := make([]string, 10)
	for i := range addresses {
		addresses[i] = fmt.Sprintf(`{"ip":"10.20.30.%d","nodeName":"node-%d","targetRef":{"kind":"Pod","namespace":"default","name":"%s-v1-7f9c-%d","uid":"0a1b2c3d-%d"}}`, 100+i, i, service, i, i)
	}
	return fmt.Appendf(nil, `{"kind":"Endpoints","apiVersion":"v1","metadata":{"resourceVersion":"4711","name":%q,"namespace":"default","uid":"7c3f","creationTimestamp":"2017-10-27T14:10:00Z","labels":{"app":%q}},"subsets":[{"addresses":[%s],"ports":[{"name":"grpc","port":8080,"protocol":"TCP"}]}]}`,
		service, service, strings.Join(addresses, ","))
}

func BenchmarkParse(b *testing.B) {
	wire := tenAddresses("ledger")
	b.ReportAllocs()
	b.SetBytes(int64(len(wire)))
	for b.Loop() {
		if _, err := linkerd2018.Parse(wire); err != nil {
			b.Fatal(err)
		}
	}
}
