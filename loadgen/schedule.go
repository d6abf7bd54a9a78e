package loadgen

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"time"
)

// Arrival is one journey of a schedule.
type Arrival struct {
	// At is the intended time since the start.
	At time.Duration
	// Customer is an index into the schedule's customers.
	Customer int32
	// AmountMinor is in pence, 0 for a read.
	AmountMinor int32
	// Counterparty picks the merchant, the payee or the sender.
	Counterparty uint16
	Journey      Journey
}

// Schedule is all that a load will ask of the bank. It is not changed once
// drawn, and may be shared.
type Schedule struct {
	// Load names the schedule in keys and records.
	Load      string
	Duration  time.Duration
	Customers []Customer
	// Arrivals are in order of their times.
	Arrivals []Arrival
	// PeakPerS is the highest rate at any arrival.
	PeakPerS float64
}

// SHA256 is the hash, in hex, of a canonical encoding of everything that is
// sent: who the customers are, and each arrival. Integers are big endian,
// strings carry their length.
func (s *Schedule) SHA256() string {
	h := sha256.New()
	var buf []byte
	text := func(v string) {
		buf = binary.BigEndian.AppendUint32(buf, uint32(len(v)))
		buf = append(buf, v...)
	}
	flush := func() {
		h.Write(buf)
		buf = buf[:0]
	}
	text("breakbank schedule 1")
	text(s.Load)
	buf = binary.BigEndian.AppendUint64(buf, uint64(s.Duration))
	buf = binary.BigEndian.AppendUint64(buf, uint64(len(s.Customers)))
	for i := range s.Customers {
		c := &s.Customers[i]
		text(c.ID)
		text(c.Account)
		text(c.CardNumber)
		text(c.PrepaidNumber)
		flush()
	}
	buf = binary.BigEndian.AppendUint64(buf, uint64(len(s.Arrivals)))
	for i := range s.Arrivals {
		a := &s.Arrivals[i]
		buf = binary.BigEndian.AppendUint64(buf, uint64(a.At))
		buf = binary.BigEndian.AppendUint32(buf, uint32(a.Customer))
		buf = binary.BigEndian.AppendUint32(buf, uint32(a.AmountMinor))
		buf = binary.BigEndian.AppendUint16(buf, a.Counterparty)
		text(Journeys[a.Journey].Name)
		flush()
	}
	flush()
	return hex.EncodeToString(h.Sum(nil))
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

// epoch is where the schedule's own clock starts: the day of the outage, the
// minute at which the scenario's load begins (13:55 in London). Keys are made
// from this clock and not the wall's, so that a seed gives the same keys.
var epoch = time.Date(2017, time.October, 27, 12, 55, 0, 0, time.UTC)

// Key is the idempotency key of arrival seq, "" for a read. It is unique over
// the loads of a run.
//
// A card network tells a resent message by STAN, transmission time and acquirer
// (ISO 8583 DE11, DE7, DE32): six digits that count and start over, MMDDhhmmss,
// and the acquirer's number, here one per load. The count cannot start over
// within a second, since a load has fewer than a million arrivals in one. A
// transfer is told by a number of its kind and the same three.
func (s *Schedule) Key(seq int) string {
	a := &s.Arrivals[seq]
	if !Journeys[a.Journey].Write {
		return ""
	}
	const (
		stans         = 1_000_000
		firstAcquirer = 445_500
	)
	key := fmt.Sprintf("%06d-%s-%06d", seq%stans, epoch.Add(a.At).Format("0102150405"),
		firstAcquirer+slices.Index(loads, s.Load))
	switch a.Journey {
	case TransferOut:
		return "out-" + key
	case TransferIn:
		return "in-" + key
	}
	return key
}
