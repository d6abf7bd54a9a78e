package loadgen

import (
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	"breakbank/loadgen/transport"
)

// mayHaveRunByCode decides on every code of gRPC: whether a write that a server
// answered with it may nevertheless have been executed.
var mayHaveRunByCode = map[codes.Code]bool{
	codes.OK:                 true, // An error that says OK contradicts itself.
	codes.Canceled:           true,
	codes.Unknown:            true,
	codes.InvalidArgument:    false,
	codes.DeadlineExceeded:   true,
	codes.NotFound:           false,
	codes.AlreadyExists:      false,
	codes.PermissionDenied:   false,
	codes.ResourceExhausted:  false,
	codes.FailedPrecondition: false,
	codes.Aborted:            true,
	codes.OutOfRange:         false,
	codes.Unimplemented:      false,
	codes.Internal:           true,
	codes.Unavailable:        false,
	codes.DataLoss:           true,
	codes.Unauthenticated:    false,
}

// isCode says whether gRPC defines a code.
func isCode(c codes.Code) bool { return !strings.HasPrefix(c.String(), "Code(") }

func TestEveryCodeIsDecidedOnAndSpelledAsGRPCSpellsIt(t *testing.T) {
	for c := codes.OK; isCode(c); c++ {
		if _, decided := mayHaveRunByCode[c]; !decided {
			t.Errorf("%v is not decided on", c)
		}
		var back codes.Code
		if err := back.UnmarshalJSON([]byte(`"` + CodeName(c) + `"`)); err != nil || back != c {
			t.Errorf("%v is called %s, which gRPC reads as %v, %v", c, CodeName(c), back, err)
		}
	}
	if CodeName(99) != "UNKNOWN" {
		t.Errorf("code 99 is called %s", CodeName(99))
	}
}

// A read always fails; a write fails only where it certainly was not executed.
func TestErrorsAreDecidedOn(t *testing.T) {
	outcome := func(unknown bool) Outcome {
		if unknown {
			return Unknown
		}
		return Failed
	}
	for c, mayHaveRun := range mayHaveRunByCode {
		for _, write := range []bool{false, true} {
			if got, want := Refused(write, CodeName(c), "x"), outcome(write && mayHaveRun); got.Outcome != want || got.Code != CodeName(c) || got.Own {
				t.Errorf("write %v refused with %v: %+v, want %v", write, c, got, want)
			}
			for _, fate := range []transport.Fate{transport.Unsent, transport.Lost} {
				got, want := Unanswered(write, &transport.Call{Fate: fate, Code: c}), outcome(write && fate == transport.Lost)
				code := CodeName(c)
				if fate == transport.Lost && c == codes.Unavailable {
					code = CodeLost
				}
				if got.Outcome != want || got.Code != code || !got.Own {
					t.Errorf("write %v without an answer, fate %d, %v: %+v, want %v", write, fate, c, got, want)
				}
			}
		}
	}
	// What is no code of gRPC promises nothing.
	if got := Refused(true, "OUT_OF_PAPER", "x"); got.Outcome != Unknown {
		t.Errorf("a write refused with a code that nobody knows: %+v", got)
	}
	for write, want := range map[bool]Outcome{false: Failed, true: Unknown} {
		if got := Garbled(write, CodeLost, "x"); got.Outcome != want {
			t.Errorf("write %v, answered with nonsense: %+v, want %v", write, got, want)
		}
	}
	if long := Garbled(false, CodeLost, strings.Repeat("é", errMaxBytes)); len(long.Err) > errMaxBytes {
		t.Errorf("%d bytes of an error are kept", len(long.Err))
	}
}

func TestOutcomesRoundTrip(t *testing.T) {
	for o := OK; o <= Unknown; o++ {
		text, err := o.MarshalText()
		var back Outcome
		if err != nil || back.UnmarshalText(text) != nil || back != o {
			t.Errorf("outcome %d became %q, then %v (%v)", o, text, back, err)
		}
	}
	if _, err := Outcome(0).MarshalText(); err == nil {
		t.Error("no outcome can be written")
	}
	var o Outcome
	if err := o.UnmarshalText([]byte("fine")); err == nil || !strings.Contains(err.Error(), "degraded") {
		t.Errorf("an unknown outcome gives %v", err)
	}
}
