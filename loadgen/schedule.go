package loadgen

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"slices"
	"time"
)

// Arrival is one journey of a schedule.
type Arrival struct {
	// At is the intended time since the start.
	At time.Duration
	// Customer is an index into the schedule's population.
	Customer int32
	// AmountMinor is in pence, 0 for a read.
	AmountMinor int32
	// Counterparty picks the merchant, the payee or the sender.
	Counterparty uint16
	Journey      Journey
	// Follows says that another arrival has led to this one; the pacer knows
	// nothing of it.
	Follows bool
}

// Schedule is all that a load will ask for. It is not changed once drawn, and
// may be shared.
type Schedule struct {
	// Load names the schedule in keys and records.
	Load     string
	Seed     uint64
	Duration time.Duration
	// Journeys is the table that arrivals and records point into.
	Journeys   []JourneySpec
	Population Population
	// Arrivals are in order of their times.
	Arrivals []Arrival
	// Drawn is what is drawn from while the schedule is performed. It is of the seed
	// and the load's name as drawn, so that one that is renamed sends the same.
	Drawn uint64
	// First is the number of its first arrival where requests are numbered for
	// what they send. In keys and records they count from 0.
	First int
	// PeakPerS is the pacer's highest rate at any arrival.
	PeakPerS float64
}

// SHA256 is the hash, in hex, of a canonical encoding of everything that is
// sent: who the customers are, each arrival, and where journeys say so what they
// send. Integers are big endian, strings carry their length.
func (s *Schedule) SHA256() string {
	h := sha256.New()
	buf := AppendText(nil, "breakbank schedule 1")
	buf = AppendText(buf, s.Load)
	buf = binary.BigEndian.AppendUint64(buf, uint64(s.Duration))
	if s.Population != nil {
		buf = s.Population.AppendIdentity(buf)
	}
	buf = binary.BigEndian.AppendUint64(buf, uint64(len(s.Arrivals)))
	for i := range s.Arrivals {
		a := &s.Arrivals[i]
		buf = binary.BigEndian.AppendUint64(buf, uint64(a.At))
		buf = binary.BigEndian.AppendUint32(buf, uint32(a.Customer))
		buf = binary.BigEndian.AppendUint32(buf, uint32(a.AmountMinor))
		buf = binary.BigEndian.AppendUint16(buf, a.Counterparty)
		buf = AppendText(buf, s.Journeys[a.Journey].Name)
		h.Write(buf)
		buf = buf[:0]
	}
	for i := range s.Journeys {
		buf = s.Journeys[i].appendIdentity(buf, s)
	}
	h.Write(buf)
	return hex.EncodeToString(h.Sum(nil))
}

// closedMostPerS is more than all workers of a closed loop get through in a second.
const closedMostPerS = 5_000_000

// GoesOnAfter has the numbers of s go on after those of a load before it, so that
// no two requests of the two are numbered alike. How many a closed loop makes
// nobody knows: it leaves room for more than it can make.
func (s *Schedule) GoesOnAfter(before *Schedule, closed bool) {
	s.First = before.First + len(before.Arrivals)
	if closed {
		s.First = before.First + int(math.Ceil(before.Duration.Seconds()*closedMostPerS))
	}
}

// AppendText appends a string and its length, as schedules are hashed.
func AppendText(buf []byte, v string) []byte {
	buf = binary.BigEndian.AppendUint32(buf, uint32(len(v)))
	return append(buf, v...)
}

// Until is how many journeys are scheduled before a time since the start.
func (s *Schedule) Until(at time.Duration) int {
	n, _ := slices.BinarySearchFunc(s.Arrivals, at, func(a Arrival, at time.Duration) int {
		if a.At < at {
			return -1
		}
		return 1
	})
	return n
}
