package method

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/net/http2/hpack"

	"breakbank/loadgen"
	"breakbank/loadgen/transport"
)

// requestsMax bounds the messages of one stream.
const requestsMax = 1_000_000

// JourneyOptions say how a method is called.
type JourneyOptions struct {
	// Name is the journey's; empty is the method's full name.
	Name string
	// Weight is its share of a load of several, 1 if 0.
	Weight int
	// Patience counts from the time at which a request is due.
	Patience time.Duration
	// Write says that the call changes something: without an answer its outcome
	// is unknown.
	Write bool
	// Authority is whom the call is for; empty stands for the address.
	Authority string
	// Metadata goes with each call; nil is none.
	Metadata *Metadata
	// Target is an index into the transport's targets, and Addresses is how many
	// addresses that target has, which take turns; 0 stands for 1.
	Target, Addresses int
	// Requests is how many messages a call sends that streams requests: those of
	// the data, over and over; 0 is those of the data once.
	Requests int
	// ReplyMaxBytes, if above 0, bounds an answer: a longer one is lost. At 0
	// answers may be of any length, and are only counted.
	ReplyMaxBytes int
	Check         Check
}

// Journey is a journey of one call.
func (m *Method) Journey(d *Data, o JourneyOptions) (loadgen.JourneySpec, error) {
	step, err := m.step(d, 0, &o)
	if err != nil {
		return loadgen.JourneySpec{}, err
	}
	j := loadgen.JourneySpec{Name: o.Name, Weight: o.Weight, Patience: o.Patience, Write: o.Write, Steps: []loadgen.Step{step}}
	if j.Name == "" {
		j.Name = m.FullName()
	}
	if j.Weight == 0 {
		j.Weight = 1
	}
	m.identify(&j, d, &o)
	return j, nil
}

// scratch is what a step keeps with a visit, to be used again.
type scratch struct {
	values values
	extra  []hpack.HeaderField
}

func scratchOf(v *loadgen.Visit) *scratch {
	own, ok := v.Scratch.(*scratch)
	if !ok {
		own = &scratch{}
		v.Scratch = own
	}
	return own
}

// caller is a step: one method with its data.
type caller struct {
	method   *Method
	data     *Data
	head     *transport.Head
	metadata *Metadata
	// shared is what is sent where that never changes.
	shared  [][]byte
	number  int // of the step
	options JourneyOptions
}

// step makes a call the step of a journey with this number.
func (m *Method) step(d *Data, number int, o *JourneyOptions) (loadgen.Step, error) {
	switch {
	case d == nil:
		return loadgen.Step{}, errors.New("a call without data: the empty message is {}")
	case d.method.input.FullName() != m.input.FullName():
		return loadgen.Step{}, fmt.Errorf("%s takes a %s; the data is a %s", m.FullName(), m.input.FullName(), d.method.input.FullName())
	case o.Requests < 0 || o.Requests > requestsMax:
		return loadgen.Step{}, fmt.Errorf("%d messages a stream: say 1 to %d", o.Requests, requestsMax)
	case o.Requests > 1 && !m.ClientStreaming:
		return loadgen.Step{}, fmt.Errorf("%s is %s: it takes one message, not %d", m.FullName(), m.Kind(), o.Requests)
	}
	if err := o.Check.check(m); err != nil {
		return loadgen.Step{}, err
	}
	c := &caller{method: m, data: d, number: number, options: *o, head: &transport.Head{Path: m.path(), Authority: o.Authority}}
	if o.Metadata != nil {
		c.head.Metadata = o.Metadata.fixed
		if len(o.Metadata.varying) > 0 {
			c.metadata = o.Metadata
		}
	}
	if d.Static() {
		var err error
		if c.shared, err = d.shared(o.Requests); err != nil {
			return loadgen.Step{}, fmt.Errorf("%s: %w", m.FullName(), err)
		}
	}
	return loadgen.Step{Build: c.build, Judge: c.judge}, nil
}

// build fills a call in.
func (c *caller) build(v *loadgen.Visit, call *transport.Call) error {
	call.Head, call.Target, call.ReplyMax = c.head, c.options.Target, c.options.ReplyMaxBytes
	call.Shard = 0
	if n := c.options.Addresses; n > 1 {
		// Addresses and their connections both take turns; with the same number
		// for both, some connections of some addresses would have none.
		call.Shard, call.Turn = call.Turn%n, call.Turn/n
	}
	if c.shared != nil {
		call.Request = c.shared[(v.Schedule.First+v.Seq)%len(c.shared)]
		if c.metadata == nil {
			return nil
		}
	}
	own := scratchOf(v)
	own.values.of(v, c.number)
	if c.metadata != nil {
		own.values.begin(forMetadata)
		var err error
		if own.extra, err = c.metadata.appendVarying(&own.values, own.extra[:0]); err != nil {
			return err
		}
		call.Extra = own.extra
	}
	if c.shared == nil {
		own.values.options = c.data.template.options
		own.values.begin(forData)
		request, err := c.data.template.appendRequest(&own.values, call.Buffer(), c.method.ClientStreaming, c.options.Requests)
		if err != nil {
			return err
		}
		call.SetRequest(request)
	}
	return nil
}

func (c *caller) judge(_ *loadgen.Visit, call *transport.Call) loadgen.Decision {
	return c.options.Check.judge(c.method, c.options.Write, call)
}
