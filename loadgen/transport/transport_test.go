package transport_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/protobuf/proto"

	"breakbank/loadgen/transport"
)

func TestUnary(t *testing.T) {
	each(t, func(t *testing.T, name string) {
		_, address := serve(t, newService(), "127.0.0.1:0")
		tr := connect(t, name, address, 2)
		c := &transport.Call{ReplyMax: 1000}
		for turn := range 3 { // the same call, used again
			before := time.Now()
			c.Turn, c.Extra = turn, fields("x-say", "word")
			ask(t, tr, c)
			if c.Fate != transport.Answered || c.Code != codes.OK || c.Messages != 1 || c.Status != 200 {
				t.Fatalf("fate %v, code %v %q, %d messages, status %d", c.Fate, c.Code, c.Message, c.Messages, c.Status)
			}
			message, ok := c.ReplyMessage()
			var reply testpb.SimpleResponse
			if err := proto.Unmarshal(message, &reply); !ok || err != nil || reply.GetUsername() != "hello" || len(reply.GetPayload().GetBody()) != 10 {
				t.Errorf("answer %v, %v, %v", &reply, ok, err)
			}
			if c.SentAt.Before(before) || c.SentAt.After(time.Now()) {
				t.Errorf("sent at %v", c.SentAt)
			}
			if c.ReplyBytes != int64(len(c.Reply)) {
				t.Errorf("%d bytes, %d kept", c.ReplyBytes, len(c.Reply))
			}
			for field, want := range map[string]string{"x-authority": "bank", "x-said": "word", "bb-route": "live"} {
				if got := c.Field(field); got != want {
					t.Errorf("%s is %q, want %q", field, got, want)
				}
			}
			if !c.Reusable() {
				t.Error("an answered call cannot be used again")
			}
		}
	})
}

func TestTheServerIsToldTheDeadline(t *testing.T) {
	each(t, func(t *testing.T, name string) {
		_, address := serve(t, newService(), "127.0.0.1:0")
		c := ask(t, connect(t, name, address, 1), &transport.Call{Deadline: time.Now().Add(15 * time.Second)})
		var left int
		if _, err := fmt.Sscan(c.Field("x-left-ms"), &left); err != nil || left <= 10_000 || left > 15_001 {
			t.Errorf("the server has %q ms left (%v)", c.Field("x-left-ms"), err)
		}
	})
}

func TestErrorsOfTheServer(t *testing.T) {
	each(t, func(t *testing.T, name string) {
		_, address := serve(t, newService(), "127.0.0.1:0")
		tr := connect(t, name, address, 1)
		for code := codes.Canceled; code <= codes.Unauthenticated; code++ {
			c := ask(t, tr, &transport.Call{Extra: fields("do", fmt.Sprint(uint32(code)))})
			if c.Fate != transport.Answered || c.Code != code || c.Message != "as asked: 100 % of it – é" {
				t.Errorf("code %v: fate %v, code %v, %q", code, c.Fate, c.Code, c.Message)
			}
		}
		c := ask(t, tr, &transport.Call{Head: &transport.Head{Path: "/no.such/Method"}})
		if c.Fate != transport.Answered || c.Code != codes.Unimplemented {
			t.Errorf("no such method: fate %v, code %v", c.Fate, c.Code)
		}
	})
}

func TestStreams(t *testing.T) {
	each(t, func(t *testing.T, name string) {
		_, address := serve(t, newService(), "127.0.0.1:0")
		tr := connect(t, name, address, 1)
		out := &testpb.StreamingOutputCallRequest{}
		for range 50 {
			out.ResponseParameters = append(out.ResponseParameters, &testpb.ResponseParameters{Size: 30_000})
		}
		c := ask(t, tr, &transport.Call{Head: &transport.Head{Path: "/grpc.testing.TestService/StreamingOutputCall"}, Request: framed(t, out)})
		if c.Code != codes.OK || c.Messages != 50 || c.ReplyBytes < 50*30_000 || len(c.Reply) != 0 {
			t.Errorf("from the server: code %v %q, %d messages, %d bytes, %d kept", c.Code, c.Message, c.Messages, c.ReplyBytes, len(c.Reply))
		}
		var in []proto.Message
		for range 40 {
			in = append(in, &testpb.StreamingInputCallRequest{Payload: &testpb.Payload{Body: make([]byte, 20_000)}})
		}
		c = ask(t, tr, &transport.Call{Head: &transport.Head{Path: "/grpc.testing.TestService/StreamingInputCall"}, Request: framed(t, in...), ReplyMax: 100})
		message, _ := c.ReplyMessage()
		var sum testpb.StreamingInputCallResponse
		if err := proto.Unmarshal(message, &sum); err != nil || c.Code != codes.OK || sum.GetAggregatedPayloadSize() != 800_000 {
			t.Errorf("to the server: code %v %q, %v %v", c.Code, c.Message, &sum, err)
		}
	})
}

func TestAnAnswerTooLong(t *testing.T) {
	each(t, func(t *testing.T, name string) {
		_, address := serve(t, newService(), "127.0.0.1:0")
		c := ask(t, connect(t, name, address, 1), &transport.Call{ReplyMax: 100, Request: framed(t, &testpb.SimpleRequest{ResponseSize: 100_000})})
		if c.Fate != transport.Lost || c.Code != codes.ResourceExhausted || !strings.Contains(c.Message, "longer than 100 bytes") {
			t.Errorf("fate %v, code %v, %q", c.Fate, c.Code, c.Message)
		}
	})
}

func TestDeadline(t *testing.T) {
	each(t, func(t *testing.T, name string) {
		s := newService()
		_, address := serve(t, s, "127.0.0.1:0")
		tr := connect(t, name, address, 1)
		// Patiences that are not in order, so that each must be found.
		d := newDone()
		var b transport.Batch
		begun := time.Now()
		patiences := []time.Duration{1300, 1100, 1200, 1050, 1150}
		for i, ms := range patiences {
			tr.Begin(&b, &transport.Call{
				Head: &transport.Head{Path: unary}, Extra: fields("do", "hang"), Turn: i,
				Request: framed(t, &testpb.SimpleRequest{}), Deadline: begun.Add(ms * time.Millisecond), Owner: d,
			})
		}
		b.Flush()
		for range patiences {
			c := d.wait(t)
			// The server knows the deadline too, and may be first to say so.
			if c.Fate == transport.Unsent || c.Code != codes.DeadlineExceeded {
				t.Errorf("fate %v, code %v %q", c.Fate, c.Code, c.Message)
			}
			if early := time.Until(c.Deadline); early > 0 {
				t.Errorf("given up %v too early", early)
			}
		}
		for range patiences { // the server is told
			select {
			case <-s.cancelled:
			case <-time.After(patient):
				t.Fatal("the server was not told that a call was given up")
			}
		}
	})
}

func TestNobodyThere(t *testing.T) {
	each(t, func(t *testing.T, name string) {
		l := listen(t, "127.0.0.1:0")
		address := l.Addr().String()
		l.Close()
		tr := open(t, name, one(address, 2))
		ctx, cancel := context.WithTimeout(context.Background(), patient)
		defer cancel()
		if err := tr.Settle(ctx); err == nil || !strings.Contains(err.Error(), address) || !strings.Contains(err.Error(), "refused") {
			t.Errorf("settled with %v", err)
		}
		c := ask(t, tr, &transport.Call{})
		if c.Fate != transport.Unsent || c.Code != codes.Unavailable || !c.SentAt.IsZero() {
			t.Errorf("fate %v, code %v %q, sent %v", c.Fate, c.Code, c.Message, c.SentAt)
		}
		// And it is found as soon as it is there.
		serve(t, newService(), address)
		for c.Code != codes.OK {
			if ctx.Err() != nil {
				t.Fatalf("never connected: %v %q", c.Code, c.Message)
			}
			c = ask(t, tr, &transport.Call{})
		}
	})
}

func TestTheServerIsKilled(t *testing.T) {
	each(t, func(t *testing.T, name string) {
		s := newService()
		server, address := serve(t, s, "127.0.0.1:0")
		tr := connect(t, name, address, 2)
		d := newDone()
		var b transport.Batch
		const calls = 20
		for i := range calls {
			tr.Begin(&b, &transport.Call{
				Head: &transport.Head{Path: unary}, Extra: fields("do", "hang"), Turn: i, Owner: d,
				Request: framed(t, &testpb.SimpleRequest{}), Deadline: time.Now().Add(patient),
			})
		}
		b.Flush()
		for range calls {
			select {
			case <-s.hung:
			case <-time.After(patient):
				t.Fatal("not all calls have reached the server")
			}
		}
		server.Stop()
		for range calls {
			if c := d.wait(t); c.Fate != transport.Lost || c.Code != codes.Unavailable {
				t.Errorf("fate %v, code %v %q", c.Fate, c.Code, c.Message)
			}
		}
	})
}

func TestFewStreams(t *testing.T) {
	each(t, func(t *testing.T, name string) {
		s := newService()
		_, address := serve(t, s, "127.0.0.1:0", grpc.MaxConcurrentStreams(4))
		tr := connect(t, name, address, 2)
		d := newDone()
		var b transport.Batch
		const calls = 200
		for i := range calls {
			tr.Begin(&b, &transport.Call{
				Head: &transport.Head{Path: unary}, Turn: i, Owner: d,
				Request: framed(t, &testpb.SimpleRequest{}), Deadline: time.Now().Add(patient),
			})
		}
		b.Flush()
		for range calls {
			if c := d.wait(t); c.Code != codes.OK {
				t.Fatalf("code %v %q", c.Code, c.Message)
			}
		}
		// Eight have all the streams for good; those that wait for one until their
		// deadline were never sent.
		hang := func(n int, patience time.Duration) {
			for i := range n {
				tr.Begin(&b, &transport.Call{
					Head: &transport.Head{Path: unary}, Extra: fields("do", "hang"), Turn: i, Owner: d,
					Request: framed(t, &testpb.SimpleRequest{}), Deadline: time.Now().Add(patience),
				})
			}
			b.Flush()
		}
		hang(8, patient)
		for range 8 {
			select {
			case <-s.hung:
			case <-time.After(patient):
				t.Fatal("not all streams are taken")
			}
		}
		hang(12, 50*time.Millisecond)
		for range 12 {
			if c := d.wait(t); c.Fate != transport.Unsent || c.Code != codes.DeadlineExceeded {
				t.Errorf("one that waited: fate %v, code %v %q", c.Fate, c.Code, c.Message)
			}
		}
		tr.GiveUp()
		for range 8 {
			if c := d.wait(t); c.Fate != transport.Lost || c.Code != codes.DeadlineExceeded {
				t.Errorf("one that hung: fate %v, code %v %q", c.Fate, c.Code, c.Message)
			}
		}
	})
}

// TestOneStream has the last stream's end let the next call go, where nothing
// else would.
func TestOneStream(t *testing.T) {
	each(t, func(t *testing.T, name string) {
		_, address := serve(t, newService(), "127.0.0.1:0", grpc.MaxConcurrentStreams(1))
		tr := connect(t, name, address, 1)
		d := newDone()
		var b transport.Batch
		const calls = 50
		for range calls {
			tr.Begin(&b, &transport.Call{
				Head: &transport.Head{Path: unary}, Owner: d,
				Request: framed(t, &testpb.SimpleRequest{}), Deadline: time.Now().Add(patient / 2),
			})
		}
		b.Flush()
		for range calls {
			if c := d.wait(t); c.Code != codes.OK {
				t.Fatalf("code %v %q", c.Code, c.Message)
			}
		}
	})
}

// TestGoodbye has the server say goodbye to its connections again and again
// while calls go on: none fails.
func TestGoodbye(t *testing.T) {
	each(t, func(t *testing.T, name string) {
		_, address := serve(t, newService(), "127.0.0.1:0", grpc.KeepaliveParams(keepalive.ServerParameters{
			MaxConnectionAge: 50 * time.Millisecond, MaxConnectionAgeGrace: patient,
		}))
		tr := connect(t, name, address, 2)
		c := &transport.Call{}
		for begun := time.Now(); time.Since(begun) < 500*time.Millisecond; {
			if ask(t, tr, c); c.Code != codes.OK {
				t.Fatalf("fate %v, code %v %q", c.Fate, c.Code, c.Message)
			}
			c.Turn++
		}
	})
}

// TestEachEndsOnce has many goroutines begin calls while the transport gives up
// and is closed: every Begin is followed by one Done.
func TestEachEndsOnce(t *testing.T) {
	each(t, func(t *testing.T, name string) {
		_, address := serve(t, newService(), "127.0.0.1:0")
		tr := connect(t, name, address, 3)
		d := newDone()
		var begun sync.WaitGroup
		const goroutines, calls = 8, 300
		half := make(chan struct{}, goroutines)
		for g := range goroutines {
			begun.Go(func() {
				var b transport.Batch
				for i := range calls {
					c := &transport.Call{
						Head: &transport.Head{Path: unary}, Turn: g + i, Owner: d,
						Request: framed(t, &testpb.SimpleRequest{}), Deadline: time.Now().Add(patient),
					}
					if i%3 == 0 {
						c.Extra = fields("do", "hang")
					}
					tr.Begin(&b, c)
					b.Flush()
					if i == calls/2 {
						half <- struct{}{}
					}
				}
			})
		}
		for range goroutines {
			<-half
		}
		tr.GiveUp()
		begun.Wait()
		tr.Close()
		seen := map[*transport.Call]bool{}
		for range goroutines * calls {
			c := d.wait(t)
			if seen[c] {
				t.Fatal("a call has ended twice")
			}
			seen[c] = true
		}
		if len(d.ended) != 0 {
			t.Errorf("%d more ends", len(d.ended))
		}
		if c := ask(t, tr, &transport.Call{}); c.Fate != transport.Unsent {
			t.Errorf("after Close: fate %v, code %v", c.Fate, c.Code)
		}
	})
}

func TestHTTP(t *testing.T) {
	each(t, func(t *testing.T, name string) {
		address := serveHTTP(t)
		tr := connect(t, name, address, 2)
		for _, status := range []int{200, 404, 503} {
			c := ask(t, tr, &transport.Call{
				Head:    &transport.Head{Kind: transport.HTTP, Path: fmt.Sprintf("/%d", status), ContentType: "application/json"},
				Request: []byte(`{"a":1}`), Extra: fields("x-say", "word"), ReplyMax: 100,
			})
			if c.Fate != transport.Answered || c.Status != status || string(c.Reply) != `application/json word {"a":1}` || c.Field("bb-route") != "stale" {
				t.Errorf("%d: fate %v, status %d, %q, %v, %q", status, c.Fate, c.Status, c.Reply, c.Fields, c.Message)
			}
		}
		c := ask(t, tr, &transport.Call{
			Head:    &transport.Head{Kind: transport.HTTP, Path: "/200", ContentType: "application/json"},
			Request: []byte(`{"a":1}`), ReplyMax: 5,
		})
		if c.Fate != transport.Lost || !strings.Contains(c.Message, "longer than 5 bytes") {
			t.Errorf("too long: fate %v, %q", c.Fate, c.Message)
		}
	})
}

func TestBadConfigurations(t *testing.T) {
	for want, c := range map[string]transport.Config{
		"no target is given":             {},
		"the address of test must be":    one("localhost", 1),
		"-1 connections to test: say 1":  one("localhost:1", -1),
		"5000 connections to test: say ": one("localhost:1", 5000),
	} {
		each(t, func(t *testing.T, name string) {
			if _, err := transport.New(name, c); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %q", err, want)
			}
		})
	}
	if _, err := transport.New("carrier pigeon", one("localhost:1", 1)); err == nil || !strings.Contains(err.Error(), "wire and grpc-go") {
		t.Errorf("got %v", err)
	}
}
