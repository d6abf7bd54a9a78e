package method

import (
	"testing"
	"time"
)

func TestMetadata(t *testing.T) {
	m, err := ParseMetadata([]string{
		"X-Fixed:  a b: c ", "x-any-bin: AAEC/w==", "x-seq: n{{.Seq}}", "x-row: {{.CSV \"id\"}}", "x-long: {{printf \"%03d\" .Seq}}", "x-seq-bin: {{.Choice \"AAEC\"}}",
	}, DataOptions{Table: table(t, "id\na\nb\n")})
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, f := range m.fixed {
		got += f.Name + "=" + f.Value + "\n"
	}
	v := &values{seq: 5, at: time.Unix(0, 0)}
	v.begin(forMetadata)
	varying, err := m.appendVarying(v, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range varying {
		got += f.Name + "=" + f.Value + "\n"
	}
	if want := "x-fixed=a b: c\nx-any-bin=AAEC/w\nx-seq=n5\nx-row=b\nx-long=005\nx-seq-bin=AAEC\n"; got != want {
		t.Errorf("it is\n%swant\n%s", got, want)
	}
	md := m.outgoing()
	if md.Get("x-any-bin")[0] != "\x00\x01\x02\xff" || md.Get("x-seq")[0] != "n0" {
		t.Errorf("grpc-go gets %v", md)
	}
}

func TestMetadataThatIsRefused(t *testing.T) {
	for line, want := range map[string]string{
		"x-a":                                  `metadata "x-a": say name: value`,
		": a":                                  `metadata "": there is no name before the colon`,
		"grpc-timeout: 1S":                     `metadata "grpc-timeout": this name is gRPC's own; take another`,
		":path: /":                             `metadata "": there is no name before the colon`,
		"Content-Type: a/b":                    `metadata "content-type": this name is gRPC's own; take another`,
		"x a: b":                               `metadata "x a": ' ' is in no name: letters, digits and -_. are`,
		"x-a: é":                               `metadata "x-a": "é" is more than printable ASCII: end the name in -bin and write the value in base64`,
		"x-a-bin: é":                           `metadata "x-a-bin": "é" is not base64, as values of names in -bin are`,
		"x-a: {{.Nope 1}}":                     `metadata "x-a": ` + noField(".Nope").Error(),
		"x-a: {{.CSV \"id\"}}":                 `metadata "x-a": there are no rows to take a column from: pass a CSV file`,
		"x-a: {{.Random 2 1}}":                 `metadata "x-a": there is no number from 2 to 1`,
		"x-a-bin: {{.Choice \"ä\"}}":           `metadata "x-a-bin": "ä" is not base64, as values of names in -bin are`,
		"x-a: " + string(make([]byte, 70_000)): `metadata of more than 64 KB`,
		"x-a: {{range 3}}{{printf \"\\n\"}}{{end}}": `metadata "x-a": "\n\n\n" is more than printable ASCII: end the name in -bin and write the value in base64`,
	} {
		_, err := ParseMetadata([]string{line}, DataOptions{})
		refuses(t, err, want)
	}
}

func TestMoreMetadataReplaces(t *testing.T) {
	first, err := ParseMetadata([]string{"a: 1", "b: 2", "c: {{.Seq}}"}, DataOptions{})
	if err != nil {
		t.Fatal(err)
	}
	more, err := ParseMetadata([]string{"b: {{.Seq}}", "c: 3"}, DataOptions{})
	if err != nil {
		t.Fatal(err)
	}
	both := first.with(more).outgoing()
	if len(both) != 3 || both.Get("a")[0] != "1" || both.Get("b")[0] != "0" || both.Get("c")[0] != "3" {
		t.Errorf("they are %v", both)
	}
	if nobody := (*Metadata)(nil); nobody.with(more) != more || more.with(nil) != more {
		t.Error("none and some are not some")
	}
}
