package main

import (
	"errors"

	"github.com/alecthomas/kong"
)

// foreign is a flag of other load generators that this one has not. Without it
// the parser would guess at what is spelled alike: for ghz's --insecure, which is
// clear text, a flag that turns TLS on.
type foreign struct{}

// IsBool spares the error a placeholder for its value.
func (foreign) IsBool() bool { return true }

// Decode refuses the flag with its hint.
func (foreign) Decode(ctx *kong.DecodeContext) error { return errors.New(ctx.Value.Tag.Get("hint")) }

// foreignTarget are such flags about what is called.
type foreignTarget struct {
	ForeignInsecure foreign `name:"insecure" hidden:"" hint:"clear text is the default, so leave it out; --tls is for TLS, and --insecure-skip-verify for TLS with any certificate"`
	ForeignCall     foreign `name:"call" hidden:"" hint:"say --method"`
}

// foreignPace are such flags about how much.
type foreignPace struct {
	ForeignRPS         foreign `name:"rps" hidden:"" hint:"say --rate"`
	ForeignVUs         foreign `name:"vus" hidden:"" hint:"say --rate: nobody waits for an answer before the next request; or --closed for a closed loop"`
	ForeignConcurrency foreign `name:"concurrency" hidden:"" hint:"say --rate: nobody waits for an answer before the next request; or --closed for a closed loop"`
	ForeignTotal       foreign `name:"total" short:"n" hidden:"" hint:"say --duration with --rate: so many requests take their number / rate"`
	ForeignIterations  foreign `name:"iterations" hidden:"" hint:"say --duration with --rate: so many requests take their number / rate"`
}
