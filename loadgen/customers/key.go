package customers

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"time"

	"breakbank/loadgen"
)

// The loads of a run. Each has its own acquirer, so that no key of one is ever
// a key of another.
const (
	LoadMain   = loadgen.LoadMain
	LoadWarmup = "warmup"
)

// loads is the table of loads; the index is part of the keys, so only append.
var loads = []string{LoadMain, LoadWarmup}

// epoch is where the schedule's own clock starts: the day of the outage, the
// minute at which the scenario's load begins (13:55 in London). Keys are made
// from this clock and not the wall's, so that a seed gives the same keys.
var epoch = time.Date(2017, time.October, 27, 12, 55, 0, 0, time.UTC)

const (
	stans         = 1_000_000
	firstAcquirer = 445_500
)

// Key is the idempotency key of try number retry at arrival seq, "" for a read.
// It is unique over the loads of a run.
func Key(s *loadgen.Schedule, seq, retry int) string {
	if key := s.Journeys[s.Arrivals[seq%len(s.Arrivals)].Journey].Key; key != nil {
		return key(s, seq, retry)
	}
	return ""
}

// cardKey is the key of a tap. Who taps again asks for another authorisation: a
// terminal numbers it anew, so it has a key of its own.
func cardKey(s *loadgen.Schedule, seq, retry int) string {
	key := appendKey(make([]byte, 0, keyBytes), s, seq)
	if retry > 0 {
		key = strconv.AppendInt(append(key, '-'), int64(retry), 10)
	}
	return string(key)
}

// outKey is the key of a transfer from the app, which keeps it over its tries.
func outKey(s *loadgen.Schedule, seq, _ int) string {
	return string(appendKey(append(make([]byte, 0, keyBytes), "out-"...), s, seq))
}

// inKey is the key of a transfer to the bank, which the sender keeps too.
func inKey(s *loadgen.Schedule, seq, _ int) string {
	return string(appendKey(append(make([]byte, 0, keyBytes), "in-"...), s, seq))
}

// keyBytes is how long keys get.
const keyBytes = 40

// appendKey appends what tells an arrival from all others.
//
// A card network tells a resent message by STAN, transmission time and acquirer
// (ISO 8583 DE11, DE7, DE32): six digits that count and start over, MMDDhhmmss,
// and the acquirer's number, here one per load. The count cannot start over
// within a second, since a load has fewer than a million arrivals in one. A
// transfer is told by a number of its kind and the same three.
func appendKey(b []byte, s *loadgen.Schedule, seq int) []byte {
	stan := strconv.AppendInt(nil, int64(stans+seq%stans), 10)
	b = append(append(b, stan[1:]...), '-')
	b = epoch.Add(s.Arrivals[seq%len(s.Arrivals)].At).AppendFormat(b, "0102150405")
	b = appendAcquirer(append(b, '-'), s.Load)
	if lap := seq / len(s.Arrivals); lap > 0 { // of a closed loop
		b = strconv.AppendInt(append(b, '.'), int64(lap), 10)
	}
	return b
}

// appendAcquirer appends the acquirer's number of a load. A load that is not in
// the table has the start of its name's hash instead, of more than six digits,
// so that it is none of theirs.
func appendAcquirer(b []byte, load string) []byte {
	if i := slices.Index(loads, load); i >= 0 {
		return strconv.AppendInt(b, int64(firstAcquirer+i), 10)
	}
	sum := sha256.Sum256([]byte(load))
	return hex.AppendEncode(b, sum[:6])
}
