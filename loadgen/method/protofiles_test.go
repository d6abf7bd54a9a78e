package method

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
)

func TestProtoFilesAreFoundFromAnywhere(t *testing.T) {
	absolute, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for what, s := range map[string]Source{
		"relative":                      {Protos: []string{"testdata/every.proto"}},
		"absolute":                      {Protos: []string{filepath.Join(absolute, "every.proto")}},
		"below an import path":          {Protos: []string{"testdata/every.proto"}, ImportPaths: []string{"testdata"}},
		"as imports name it":            {Protos: []string{"every.proto"}, ImportPaths: []string{".", "testdata"}},
		"below an absolute import path": {Protos: []string{filepath.Join(absolute, "every.proto")}, ImportPaths: []string{absolute}},
		"with its import named too":     {Protos: []string{"imported/part.proto", "every.proto"}, ImportPaths: []string{"testdata"}},
	} {
		for _, name := range []string{"test.v1.Every/Send", "test.v1.Every.Send", "/test.v1.Every/Send"} {
			m, err := Resolve(context.Background(), s, name)
			if err != nil {
				t.Errorf("%s: %v", what, err)
				continue
			}
			if m.FullName() != "test.v1.Every/Send" || m.Kind() != "client streaming" {
				t.Errorf("%s: it is %s, %s", what, m.FullName(), m.Kind())
			}
		}
	}
}

func TestKinds(t *testing.T) {
	for name, kind := range map[string]string{
		"One": "unary", "Send": "client streaming", "Receive": "server streaming", "Both": "bidirectional streaming",
	} {
		if m := described(t, name); m.Kind() != kind {
			t.Errorf("%s is %s, want %s", name, m.Kind(), kind)
		}
	}
}

func TestWhatIsWrongWithProtoFiles(t *testing.T) {
	every := []string{"testdata/every.proto"}
	for _, c := range []struct {
		source     Source
		name, want string
	}{
		{Source{Protos: every}, "One", `"One" is not a method: say package.Service/Method`},
		{Source{Protos: every}, "test.v1.Every/", `"test.v1.Every/" is not a method: say package.Service/Method`},
		{Source{Protos: every}, "test.v1.Every/Sent", "testdata/every.proto: test.v1.Every has no method Sent; its methods are Send, List, One, Both, Old, Receive"},
		{Source{Protos: every}, "test.v1.Evry/Send", "testdata/every.proto: no service test.v1.Evry; the services are test.v1.Every"},
		{Source{Protos: []string{"testdata/imported/part.proto"}}, "a.B/C", "testdata/imported/part.proto: no service a.B: there are no services at all"},
		{Source{Protos: []string{"testdata/broken/syntax.proto"}}, "a.B/C", "testdata/broken/syntax.proto:6:15: syntax error: expecting ';'"},
		{Source{Protos: []string{"testdata/broken/type.proto"}}, "a.B/C", "testdata/broken/type.proto:6:3: field test.broken.Message.text: unknown type Missing"},
		{
			Source{Protos: []string{"testdata/broken/import.proto"}},
			"a.B/C", `testdata/broken/import.proto:5:8: import "nowhere/to/be/found.proto" is in none of the import paths ., testdata/broken`,
		},
		{
			Source{Protos: []string{"every.proto"}, ImportPaths: []string{"testdata/broken"}},
			"a.B/C", "no file every.proto in the import paths testdata/broken",
		},
		{
			Source{Protos: every, ImportPaths: []string{"testdata/broken"}},
			"a.B/C", "testdata/every.proto lies in none of the import paths testdata/broken: add its directory",
		},
		{Source{Protos: []string{"testdata"}}, "a.B/C", "testdata is a directory: name the .proto files in it"},
		{Source{}, "a.B/C", "nothing describes the method: name a target that offers reflection, or pass --proto"},
	} {
		_, err := Resolve(context.Background(), c.source, c.name)
		refuses(t, err, c.want)
	}
	_, err := ResolveAll(context.Background(), Source{Protos: every}, nil)
	refuses(t, err, "no method is named: say package.Service/Method")
}

func TestDescriptorsTravel(t *testing.T) {
	one, list := described(t, "One"), described(t, "List")
	set := DescriptorSetOf(one, list)
	if again := DescriptorSetOf(list, one); !bytes.Equal(set, again) {
		t.Error("the set depends on the order of the methods")
	}
	if !bytes.Equal(one.DescriptorSet(), set) {
		t.Error("two methods of the same files have another set than one")
	}
	const text = `{"part": {"name": "x"}, "any": {"@type": "type.googleapis.com/test.imported.Part", "name": "y"}, "at": "2017-10-27T14:00:00Z"}`
	here, err := ParseData(one, text, DataOptions{})
	if err != nil {
		t.Fatal(err)
	}
	far, err := FromDescriptorSet(set, "test.v1.Every.One")
	if err != nil {
		t.Fatal(err)
	}
	there, err := ParseData(far, text, DataOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(here.messages[0], there.messages[0]) {
		t.Error("the same data is encoded in another way elsewhere")
	}

	_, err = FromDescriptorSet(set, "test.v1.Every/Won")
	refuses(t, err, "test.v1.Every has no method Won; its methods are One, Both, Old, Send, List, Receive")
	_, err = FromDescriptorSet(nil, "test.v1.Every/One")
	refuses(t, err, "there are no descriptors")
	if _, err = FromDescriptorSet([]byte("no descriptors"), "test.v1.Every/One"); err == nil {
		t.Error("any bytes pass for descriptors")
	}
}

func TestProtoFilesAreBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "huge.proto")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(protoFileMaxBytes + 1); err != nil { // takes no space
		t.Fatal(err)
	}
	f.Close()
	_, err = Resolve(context.Background(), Source{Protos: []string{path}}, "a.B/C")
	refuses(t, err, "the .proto files cannot be read: "+path+" is not a file of at most 16777216 bytes")
}
