package method

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	testgrpc "google.golang.org/grpc/interop/grpc_testing"

	"breakbank/loadgen"
)

const shop = `
csv: people.csv
rows: random
journeys:
  - name: look and pay
    weight: 3
    patience: 5s
    write: true
    steps:
      - method: grpc.testing.TestService/EmptyCall
      - method: grpc.testing.TestService/UnaryCall
        think: 1ms..3ms
        data: {response_size: "{{.Random 1 9}}", payload: {body: '{{.CSV "body"}}'}}
        metadata: ["x-who: {{.CSV \"name\"}}", "x-fixed: step"]
      - method: grpc.testing.TestService/UnaryCall
        think: 2ms
        data: "@again.json"
        codes: [OK, NotFound]
        metadata: {x-who: '{{.CSV "name"}}'}
  - steps:
      - method: grpc.testing.TestService/StreamingOutputCall
        messages_min: 2
        data: |
          {"response_parameters": [{"size": 1}, {"size": 2}]}
      - method: grpc.testing.TestService.StreamingInputCall
        requests: 4
`

// script reads a script from a directory that has the files it names.
func script(t *testing.T, text string) (*Script, error) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"people.csv": "name,body\nAda,AAEC\n\"Bob \"\"B\"\"\",BBEC\n", "again.json": `{"response_status": {"code": 5, "message": "{{.CSV "name"}}"}}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := ParseScript(filepath.Join(dir, "shop.yaml"), []byte(text))
	if err != nil {
		err = fmt.Errorf("%s", strings.ReplaceAll(err.Error(), dir+"/", "")) // as from within
	}
	return s, err
}

func TestScript(t *testing.T) {
	s, err := script(t, shop)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(s.Methods(), " "); got != "grpc.testing.TestService/EmptyCall grpc.testing.TestService/UnaryCall "+
		"grpc.testing.TestService/StreamingOutputCall grpc.testing.TestService.StreamingInputCall" {
		t.Errorf("it calls %s", got)
	}
	// Its text holds all that it names, and may be read where these are not.
	far, err := ParseScript("elsewhere/shop.yaml", s.Text())
	if err != nil {
		t.Fatal(err)
	}
	kept := &seen{}
	target := serve(t, withReflection, kept.options()...)
	methods, err := ResolveAll(context.Background(), Source{Target: target}, far.Methods())
	if err != nil {
		t.Fatal(err)
	}
	metadata, err := ParseMetadata([]string{"x-all: yes", "x-fixed: all"}, DataOptions{})
	if err != nil {
		t.Fatal(err)
	}
	journeys, err := far.Journeys(methods, ScriptOptions{Patience: 3 * time.Second, Metadata: metadata})
	if err != nil {
		t.Fatal(err)
	}
	first, second := journeys[0], journeys[1]
	if first.Name != "look and pay" || first.Weight != 3 || first.Patience != 5*time.Second || !first.Write || len(first.Steps) != 3 {
		t.Errorf("the first is %+v", first)
	}
	if second.Name != "grpc.testing.TestService/StreamingOutputCall" || second.Weight != 1 || second.Patience != 3*time.Second || second.Write {
		t.Errorf("the second is %+v", second)
	}
	thoughtful := 0
	for _, r := range perform(t, 1, journeys, target) {
		switch r.Name {
		case first.Name:
			if r.Outcome != loadgen.OK || r.Code != "NOT_FOUND" || r.ThinkNs < 3e6 || r.ThinkNs > 5e6 {
				t.Fatalf("it is %+v", r)
			}
			if r.ThinkNs%1e6 != 0 {
				thoughtful++
			}
		default:
			if r.Outcome != loadgen.OK || r.Messages != 3 {
				t.Fatalf("it is %+v", r)
			}
		}
	}
	if thoughtful == 0 {
		t.Error("nobody thinks for a time of his own")
	}
	seen := kept.all()
	names, rows := map[string]int{}, map[string]string{"AAEC": "Ada", "BBEC": `Bob "B"`}
	for _, md := range seen.metadata {
		who, fixed := strings.Join(md.Get("x-who"), " "), strings.Join(md.Get("x-fixed"), " ")
		names[who+"/"+fixed]++
		if md.Get("x-all")[0] != "yes" {
			t.Fatal("metadata for all is not in all calls")
		}
	}
	for _, want := range []string{"/all", "Ada/step", "Ada/all", `Bob "B"/step`, `Bob "B"/all`} {
		if names[want] == 0 {
			t.Errorf("no call had %s: %v", want, names)
		}
	}
	if names["Ada/step"] != names["Ada/all"] {
		t.Errorf("a visit does not keep to its row: %v", names)
	}
	for _, message := range seen.messages {
		if r, ok := message.(*testgrpc.SimpleRequest); ok && r.GetPayload() == nil {
			if got := r.GetResponseStatus().GetMessage(); got != rows["AAEC"] && got != rows["BBEC"] {
				t.Fatalf("a row became %q", got)
			}
		}
	}
}

func TestScriptsInJSON(t *testing.T) {
	s, err := script(t, `{"journeys": [
		{"name": "a", "steps": [{"method": "p.S/M", "data": {"n": 1e3, "s": "\ud83d\ude00", "big": 18446744073709551615}}]}]}`)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.journeys[0].steps[0].data; got != `{"n":1e3,"s":"😀","big":18446744073709551615}` {
		t.Errorf("the data is %s", got)
	}
}

func TestAFileOfJSONIsReadAsJSON(t *testing.T) {
	for text, want := range map[string]string{
		"{\"journeys\":\n [}": "shop.json: it is not JSON: line 2, column 3: invalid character '}' looking for beginning of value",
		"":                    "shop.json: it is empty",
		"{} {}":               "shop.json: it holds 2 values: one is read",
	} {
		_, err := ParseScript("shop.json", []byte(text))
		refuses(t, err, want)
	}
}

func TestScriptsThatCannotBeRead(t *testing.T) {
	const method = "    - method: p.S/M\n"
	step := func(more string) string { return "journeys:\n- steps:\n" + method + "      " + more + "\n" }
	for text, want := range map[string]string{
		"":                                    "shop.yaml: it is empty",
		"a: 1\n---\nb: 2\n":                   "shop.yaml: it holds 2 documents: leave the --- out",
		"journeys: [\n":                       "shop.yaml:1: it is not YAML: sequence end token ']' not found",
		"a:\n  b: 1\n c: 2\n":                 "shop.yaml:3: it is not YAML: value is not allowed in this context",
		"{\"journeys\": [\n{]}":               "shop.yaml:2: it is not YAML: unexpected scalar value type",
		"journeys: &x []":                     `shop.yaml:1: "&": anchors, aliases, tags and merges are not read here`,
		"- a\n":                               "shop.yaml:1: the file is written as names and values, not as an array",
		"journys: []\n":                       `shop.yaml:1: the file has no "journys"; it has journeys, rows, csv`,
		"csv: people.csv\n":                   "shop.yaml:1: there are no journeys: list them under the name journeys",
		"journeys:\n":                         "shop.yaml:1: journeys: it is a list, not null",
		"journeys:\n- name: a\n":              "shop.yaml:2: a journey without steps: list them under the name steps",
		"journeys:\n- a\n":                    `shop.yaml:2: a journey is written as names and values, not as "a"`,
		"csv: nobody.csv\n":                   "shop.yaml:1: csv: cannot read nobody.csv: no such file or directory",
		"\nrows: backwards\n":                 `shop.yaml:2: rows: "backwards" is no order of rows: say random, or in turn`,
		"csv: {name: x}\n":                    "shop.yaml:1: csv: x: it has no rows: the first line names the columns, the others are rows",
		"journeys:\n- steps:\n  - data: {}\n": "shop.yaml:3: a step without a method: say method: package.Service/Method",
		"journeys:\n- steps:\n  - method: nope\n": `shop.yaml:3: method: "nope" is not a method: say package.Service/Method`,
		"journeys:\n- weight: 1.5\n":              "shop.yaml:2: weight: 1.5 is not a whole number from 0 to 1000000",
		"journeys:\n- weight: -1\n":               "shop.yaml:2: weight: -1 is not a whole number from 0 to 1000000",
		"journeys:\n- patience: 5\n":              "shop.yaml:2: patience: 5 is not a time above 0 and up to an hour, as in 200ms or 1.5s",
		"journeys:\n- patience: 0s\n":             `shop.yaml:2: patience: "0s" is not a time above 0 and up to an hour, as in 200ms or 1.5s`,
		"journeys:\n- write: maybe\n":             `shop.yaml:2: write: "maybe" is neither true nor false`,
		"journeys:\n- name: a\n  steps: [{method: p.S/M}]\n- name: a\n  steps: [{method: p.S/M}]\n": "shop.yaml:4: two journeys are called a",
		step("think: 1s"):                           "shop.yaml:4: think: it is a pause before a call, and the first has none before it",
		step("codes: [NOPE]"):                       `shop.yaml:4: codes: no gRPC status "NOPE"; they are OK, CANCELLED, UNKNOWN, INVALID_ARGUMENT, DEADLINE_EXCEEDED, NOT_FOUND, ALREADY_EXISTS, PERMISSION_DENIED, RESOURCE_EXHAUSTED, FAILED_PRECONDITION, ABORTED, OUT_OF_RANGE, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS, UNAUTHENTICATED`,
		step("requests: 0"):                         "shop.yaml:4: requests: 0 is not a whole number from 1 to 1000000",
		step("metadata: {a: [1]}"):                  "shop.yaml:4: metadata: a: an array is no value",
		step(`data: "@nothing.json"`):               "shop.yaml:4: data: cannot read nothing.json: no such file or directory",
		step("data: {n: {{.Seq}}}"):                 "shop.yaml:4: it is not YAML: could not find flow map content (write templates in quotes)",
		step("requsts: 3"):                          `shop.yaml:4: a step has no "requsts"; it has requests, codes, data, metadata, method, think, messages_min`,
		step("") + method + "      think: 3s..1s\n": `shop.yaml:6: think: there is no time from 3s to 1s`,
		step("") + method + "      think: long\n":   `shop.yaml:6: think: "long" is not a time above 0 and up to an hour, as in 200ms or 1.5s`,
	} {
		_, err := script(t, text)
		refuses(t, err, want)
	}
}

func TestStepsThatDoNotFitTheirMethods(t *testing.T) {
	one, receive := described(t, "One"), described(t, "Receive")
	for text, want := range map[string]string{
		"data: {txt: a}":                 `shop.yaml:4: data of test.v1.Every/One: test.v1.Message has no field "txt"; its fields are text, at, texts, any, left, part, raw, flag and 26 more`,
		"data: {text: '{{.CSV \"x\"}}'}": `shop.yaml:4: data of test.v1.Every/One: there are no rows to take a column from: pass a CSV file`,
		"requests: 2":                    "shop.yaml:4: test.v1.Every/One is unary: it takes one message, not 2",
		"messages_min: 2":                "shop.yaml:4: test.v1.Every/One is unary: it answers with one message, not with at least 2",
		"metadata: ['grpc-status: 0']":   `shop.yaml:4: metadata "grpc-status": this name is gRPC's own; take another`,
	} {
		s, err := script(t, "journeys:\n- steps:\n    - method: test.v1.Every/Receive\n    - method: test.v1.Every/One\n      "+text+"\n")
		if err != nil {
			t.Fatal(err)
		}
		s.file = "shop.yaml"
		_, err = s.Journeys([]*Method{receive, one}, ScriptOptions{Patience: time.Second})
		refuses(t, err, want)
	}
	s, err := script(t, shop)
	if err != nil {
		t.Fatal(err)
	}
	s.file = "shop.yaml"
	_, err = s.Journeys([]*Method{one}, ScriptOptions{})
	refuses(t, err, "shop.yaml calls 4 methods; 1 are given")
}
