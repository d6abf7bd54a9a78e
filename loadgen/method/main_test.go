package method

import (
	"context"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// described is a method of testdata/every.proto.
func described(t testing.TB, name string) *Method {
	t.Helper()
	m, err := Resolve(context.Background(), Source{Protos: []string{"testdata/every.proto"}}, "test.v1.Every/"+name)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// refuses checks that an error is one line, and exactly this one.
func refuses(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil {
		t.Fatalf("there is no error; want %s", want)
	}
	if got := err.Error(); got != want {
		t.Errorf("the error is\n  %s\nwant\n  %s", got, want)
	}
}
