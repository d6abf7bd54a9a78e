package method

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"
)

// decoded are messages of a request, as JSON.
func decoded(t testing.TB, m *Method, request []byte) (messages []string) {
	t.Helper()
	for len(request) > 0 {
		var one []byte
		if one, request = cutMessage(request); one == nil {
			t.Fatal("the request ends within a message")
		}
		message := dynamicpb.NewMessage(m.input)
		if err := (proto.UnmarshalOptions{Resolver: newEncoder(m).json.Resolver}).Unmarshal(one, message); err != nil {
			t.Fatal(err)
		}
		text, err := protojson.MarshalOptions{UseProtoNames: true, Resolver: newEncoder(m).json.Resolver}.Marshal(message)
		if err != nil {
			t.Fatal(err)
		}
		messages = append(messages, strings.ReplaceAll(string(text), " ", ""))
	}
	return messages
}

func TestStaticData(t *testing.T) {
	for _, c := range []struct {
		method, text string
		want         []string
	}{
		{"One", "", []string{`{}`}},
		{"One", "  {} ", []string{`{}`}},
		{"One", `{"text": "a\"b"}`, []string{`{"text":"a\"b"}`}},
		{"One", `{"largeUnsigned": "18446744073709551615"}`, []string{`{"large_unsigned":"18446744073709551615"}`}},
		{"One", `{"text": "a"} {"text": "b"}`, []string{`{"text":"a"}`, `{"text":"b"}`}},
		{"Send", "[{\"text\": \"a\"},\n{\"small\": 3}]", []string{`{"text":"a"}`, `{"small":3}`}},
		{"Both", `{"colour": "COLOUR_RED", "by_number": {"7": "x"}}`, []string{`{"colour":"COLOUR_RED","by_number":{"7":"x"}}`}},
		{"List", `[1, "two"]`, []string{`[1,"two"]`}},
		{"Old", `{"name": "x", "[test.imported.more]": "y"}`, []string{`{"name":"x","[test.imported.more]":"y"}`}},
	} {
		m := described(t, c.method)
		d, err := ParseData(m, c.text, DataOptions{})
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if !d.Static() {
			t.Errorf("%s is not static", c.text)
		}
		got := decoded(t, m, bytes.Join(d.messages, nil))
		if strings.Join(got, " ") != strings.Join(c.want, " ") {
			t.Errorf("%s is %s, want %s", c.text, got, c.want)
		}
	}
}

func TestDataThatDoesNotFit(t *testing.T) {
	const every = "its fields are text, at, texts, any, left, part, raw, flag and 26 more"
	for _, c := range []struct{ method, text, want string }{
		{"One", `{"txt": "a"}`, `test.v1.Message has no field "txt"; ` + every},
		{"One", `{"within": {"part": {"nam": 1}}}`, `within.part: test.imported.Part has no field "nam"; its fields are name`},
		{"One", `{"small": "abc"}`, `small: "abc" does not fit: int32 takes a whole number from -2147483648 to 2147483647`},
		{"One", `{"small": 2147483648}`, `small: 2147483648 does not fit: int32 takes a whole number from -2147483648 to 2147483647`},
		{"One", `{"small": 1.5}`, `small: 1.5 does not fit: int32 takes a whole number from -2147483648 to 2147483647`},
		{"One", `{"large": 1e30}`, `large: 1e30 does not fit: int64 takes a whole number of 64 bits`},
		{"One", `{"large_fixed": -1}`, `large_fixed: -1 does not fit: fixed64 takes a whole number of 64 bits, not below 0`},
		{"One", `{"small_unsigned": -1}`, `small_unsigned: -1 does not fit: uint32 takes a whole number from 0 to 4294967295`},
		{"One", `{"text": 5}`, `text: 5 does not fit: string takes a string in quotes`},
		{"One", `{"flag": "true"}`, `flag: "true" does not fit: bool takes true or false`},
		{"One", `{"raw": "!"}`, `raw: "!" does not fit: bytes takes base64 in quotes`},
		{"One", `{"twice": "x"}`, `twice: "x" does not fit: double takes a number`},
		{"One", `{"single": 1e39}`, `single: 1e39 does not fit: float takes a number`},
		{"One", `{"colour": "CORAL"}`, `colour: "CORAL" does not fit: test.v1.Colour takes one of COLOUR_RED, COLOUR_HOT_CORAL, COLOUR_UNSPECIFIED`},
		{"One", `{"texts": "a"}`, `texts: a repeated field is written as an array, […], not as "a"`},
		{"One", `{"numbers": [1, {}]}`, `numbers[1]: an object does not fit: int32 takes a whole number from -2147483648 to 2147483647`},
		{"One", `{"children": [{}, {"within": 3}]}`, `children[1].within: a test.v1.Message is written as an object, {…}, not as 3`},
		{"One", `{"counts": []}`, `counts: a map is written as an object, {…}, not as an array`},
		{"One", `{"counts": {"a": true}}`, `counts.a: true does not fit: int64 takes a whole number of 64 bits`},
		{"One", `{"by_number": {"x": "a"}}`, `by_number.x: "x" does not fit: int32 takes a whole number from -2147483648 to 2147483647`},
		{"One", `{"left": "a", "right": 1}`, `left and right are two of the oneof either: give one of them`},
		{"One", `{"small": 1, "small": 2}`, `small: it is given twice`},
		{"One", `{"at": "yesterday"}`, `invalid google.protobuf.Timestamp value "yesterday"`},
		{"One", `{"any": {"@type": "x/no.Such"}}`, `unable to resolve "x/no.Such": "not found"`},
		{"Old", `{"size": 1}`, `required field test.imported.Old.name not set`},
		{"Send", `[{}, {"small": []}]`, `message 1: small: an array does not fit: int32 takes a whole number from -2147483648 to 2147483647`},
		{"Send", `[]`, `there is no message in it; the empty message is {}`},
		{"One", `5`, `a test.v1.Message is written as an object, {…}, not as 5`},
		{"One", `{"text": "a"`, `it is not JSON: it ends too early (is a brace or a quote missing?)`},
		{"One", "{\n  \"text\": 'a'}", `it is not JSON: line 2, column 11: invalid character '\'' looking for beginning of value`},
		{"One", `{"text": "a",}`, `it is not JSON: line 1, column 14: invalid character '}' looking for beginning of object key string`},
		{"One", "{\"text\": \"\xff\"}", `it is not UTF-8 text`},
		{"One", strings.Repeat(`{"within":`, 300) + "{}" + strings.Repeat("}", 300), `it is nested more than 200 deep`},
	} {
		_, err := ParseData(described(t, c.method), c.text, DataOptions{})
		refuses(t, err, "data of test.v1.Every/"+c.method+": "+c.want)
	}
}

func TestBinaryData(t *testing.T) {
	m := described(t, "One")
	d, err := BinaryData(m, []byte{0x0a, 1, 'x'})
	if err != nil {
		t.Fatal(err)
	}
	if got := decoded(t, m, d.messages[0]); !d.Static() || got[0] != `{"text":"x"}` {
		t.Errorf("it is %s", got)
	}
	_, err = BinaryData(m, []byte{0x0a, 5})
	refuses(t, err, "the binary data is not a test.v1.Message: cannot parse invalid wire-format data")
}

func TestArgumentsMayBeFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data.json")
	if err := os.WriteFile(path, []byte(`{"text": "x"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for arg, want := range map[string]string{"@" + path: `{"text": "x"}`, "{}": "{}", "": ""} {
		if got, err := ReadArgument(arg); err != nil || string(got) != want {
			t.Errorf("%q is %q, %v", arg, got, err)
		}
	}
	_, err := ReadArgument("@/no/such/file")
	refuses(t, err, "cannot read /no/such/file: no such file or directory")
	_, err = ReadArgument("@/")
	refuses(t, err, "cannot read /: is a directory")
}

func TestStreamsRepeatTheirMessages(t *testing.T) {
	m := described(t, "Send")
	d, err := ParseData(m, `[{"small": 1}, {"small": 2}]`, DataOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for requests, want := range map[int]string{0: "1 2", 1: "1", 2: "1 2", 5: "1 2 1 2 1"} {
		shared, err := d.shared(requests)
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Join(decoded(t, m, shared[0]), " ")
		got = strings.NewReplacer(`{"small":`, "", "}", "").Replace(got)
		if len(shared) != 1 || got != want {
			t.Errorf("%d messages are %s, want %s", requests, got, want)
		}
	}
	d, err = ParseData(m, `{"text": "`+strings.Repeat("x", 1<<20)+`"}`, DataOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.shared(100)
	refuses(t, err, "a stream of 100 messages is more than the 64 MB that one call may send")
}

func TestMessagesOfAStreamAreNumbered(t *testing.T) {
	m := described(t, "Send")
	for _, text := range []string{`{"text": "m{{.Message}}"}`, `{"text": "m{{print .Message}}"}`} {
		d, err := ParseData(m, text, DataOptions{})
		if err != nil {
			t.Fatal(err)
		}
		v := &values{options: d.template.options}
		v.begin(forData)
		b, err := d.template.appendRequest(v, nil, true, 3)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(decoded(t, m, b), ""); got != `{"text":"m0"}{"text":"m1"}{"text":"m2"}` {
			t.Errorf("%s gives %s", text, got)
		}
	}
}

func TestDataIsBounded(t *testing.T) {
	m := described(t, "Send")
	_, err := ParseData(m, strings.Repeat(" ", dataMaxBytes+1), DataOptions{})
	refuses(t, err, "data of more than 64 MB")
	if nodes, err := parseUpTo([]byte(`[1, {"a": 2}]`), 4); err != nil || len(nodes) != 1 {
		t.Errorf("four values are %v, %v", nodes, err)
	}
	_, err = parseUpTo([]byte(`[1, {"a": 2}]`), 3)
	refuses(t, err, "it has more than 1000000 values")
	d, err := ParseData(m, `{"text": "{{.Seq}}`+strings.Repeat("x", 9<<20)+`"}`, DataOptions{})
	if err != nil {
		t.Fatal(err)
	}
	v := &values{options: d.template.options}
	v.begin(forData)
	_, err = d.template.appendRequest(v, nil, true, 8)
	refuses(t, err, "a stream of 8 messages is more than the 64 MB that one call may send")
}
