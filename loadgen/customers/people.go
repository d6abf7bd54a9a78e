package customers

import (
	"fmt"
	"math"
	"sort"
	"time"

	"breakbank/loadgen"
	"breakbank/loadgen/draw"
)

// People is a population as banks have it: some of it far busier than the rest,
// and looking at its phones when these buzz. The zero values leave that out, up
// to a population that is as even as Even; Realistic fills them in.
//
// What a push leads to comes on top of the rate of the plan's pacer, and is
// app_refresh whatever the plan's mix.
type People struct {
	Customers []Customer
	// Zipf is the exponent s of the law by which customers differ: the k-th
	// busiest does something 1/k^s times as often as the busiest.
	Zipf float64
	// PushShare is the share of taps and transfers in after which the customer
	// opens the app, because the bank's push says what has just been paid. The
	// delay is log-normal with PushMedian.
	PushShare  float64
	PushMedian time.Duration
	// StormShare is the share of all customers who open the app, with the same
	// delay, because the bank has written to everyone at StormAt; at 0, it has
	// not.
	StormAt    time.Duration
	StormShare float64
}

// What Realistic assumes.
const (
	// zipfCustomers lies in the middle of what was measured for the requests of
	// users, 0.64 to 0.83 (Breslau et al. 1999, "Web Caching and Zipf-like
	// Distributions"). The busiest of 10,000 then makes 2.7 % of all arrivals.
	// YCSB's 0.99 is meant for hot keys, and would have one customer make a
	// tenth of a bank's payments.
	zipfCustomers = 0.75
	// pushShare: of the notifications that no person wrote, 15 to 25 % are opened
	// (Pielot et al. 2018, "Dismissed! A Detailed Exploration of How Mobile Phone
	// Users Handle Push Notifications").
	pushShare = 0.2
	// pushMedian and pushSigma are ours: who has just paid has the phone at hand,
	// while of notifications in general it is only known that most are seen
	// within minutes (Pielot et al. 2014, "An In-Situ Study of Mobile Phone
	// Notifications").
	pushMedian = 10 * time.Second
	pushSigma  = 1.0
)

// Realistic is these customers as people.
func Realistic(customers []Customer) People {
	return People{Customers: customers, Zipf: zipfCustomers, PushShare: pushShare, PushMedian: pushMedian}
}

// WithStorm is these people when the bank writes to all of them at a time since
// the start of the load; as many look as at any push.
func (p People) WithStorm(at time.Duration) People {
	p.StormAt, p.StormShare = at, pushShare
	return p
}

// zipfMax bounds the exponent: beyond it, one customer makes nearly everything.
const zipfMax = 4

// Customer implements Population.
func (p People) Customer(i int) *Customer { return &p.Customers[i] }

// Check implements loadgen.Population.
func (p People) Check() error {
	switch {
	case !(p.Zipf >= 0 && p.Zipf <= zipfMax):
		return fmt.Errorf("a Zipf exponent of %v: say 0 to %d", p.Zipf, zipfMax)
	case !isShare(p.PushShare) || !isShare(p.StormShare):
		return fmt.Errorf("%v of the taps and %v of all customers open the app: say 0 to 1", p.PushShare, p.StormShare)
	case p.PushMedian < 0 || p.StormAt < 0:
		return fmt.Errorf("a push cannot be looked at %v after it, or sent at %v", p.PushMedian, p.StormAt)
	}
	return checkCustomers(p.Customers)
}

func isShare(v float64) bool { return v >= 0 && v <= 1 }

// AppendIdentity implements loadgen.Population: all else shows in the arrivals.
func (p People) AppendIdentity(buf []byte) []byte { return appendCustomers(buf, p.Customers) }

// Drawer implements loadgen.Population.
func (p People) Drawer(of func(purpose string) draw.Stream) loadgen.Drawer {
	d := &peopleDrawer{
		payments: paymentsOf(of), people: &p, customers: of("customers"),
		pushes: of("pushes"), delays: of("push delays"), storm: of("storm"),
	}
	d.rank(len(p.Customers))
	return d
}

type peopleDrawer struct {
	payments
	people    *People
	customers draw.Stream
	pushes    draw.Stream
	delays    draw.Stream
	storm     draw.Stream

	// busy is who is the k-th busiest, upTo the share of all arrivals that come
	// from the k busiest.
	busy    []int32
	upTo    []float64
	stormed bool
	after   []loadgen.Arrival
}

// rank says how busy each is. Who is busy is a trait of the customers and
// neither of a seed nor of a load; it has nothing to do with their indices, and
// so with the zones in which they enter.
func (d *peopleDrawer) rank(n int) {
	shuffle := draw.New(0, "", "busy customers")
	d.busy, d.upTo = make([]int32, n), make([]float64, n)
	sum := 0.0
	for k := range n {
		d.busy[k] = int32(k)
		j := int(shuffle.Below(uint64(k + 1)))
		d.busy[k], d.busy[j] = d.busy[j], d.busy[k]
		sum += draw.Exp(-float64(d.people.Zipf * draw.Ln(float64(k+1))))
		d.upTo[k] = sum
	}
	for k := range d.upTo {
		d.upTo[k] /= sum
	}
}

// Draw implements loadgen.Drawer.
func (d *peopleDrawer) Draw(a *loadgen.Arrival) {
	u := d.customers.Unit()
	k := sort.SearchFloat64s(d.upTo, u) // The last is 1, and u below it.
	a.Customer = d.busy[min(k, len(d.busy)-1)]
	d.fill(a)
}

// After implements loadgen.Drawer. It draws equally much for all journeys.
func (d *peopleDrawer) After(a *loadgen.Arrival) []loadgen.Arrival {
	d.after = d.after[:0]
	opens, delay := d.pushes.Unit() < d.people.PushShare, d.delay(d.delays)
	switch a.Journey {
	case CardTap, PrepaidTap, TransferIn:
		if opens {
			d.refresh(a.At, a.At+delay, a.Customer)
		}
	}
	if !d.stormed && d.people.StormShare > 0 && a.At >= d.people.StormAt {
		d.stormed = true
		for i := range d.people.Customers {
			if d.storm.Unit() < d.people.StormShare {
				d.refresh(a.At, d.people.StormAt+d.delay(d.storm), int32(i))
			}
		}
	}
	return d.after
}

// refresh adds a look at the app, later than now.
func (d *peopleDrawer) refresh(now, at time.Duration, customer int32) {
	d.after = append(d.after, loadgen.Arrival{At: max(at, now+1), Customer: customer, Journey: AppRefresh})
}

// delay draws how long after a push it is looked at.
func (d *peopleDrawer) delay(s draw.Stream) time.Duration {
	factor := draw.Exp(float64(pushSigma * s.Normal()))
	return time.Duration(math.Min(math.Round(float64(d.people.PushMedian)*factor), float64(delayMax)))
}

// delayMax is after what time nobody looks any more.
const delayMax = time.Hour
