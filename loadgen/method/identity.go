package method

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"breakbank/loadgen"
)

// identify adds to a journey's identity, which is in the schedule's hash, what one
// of its calls sends: the method, the data and its rows, how many messages, and of
// metadata the names and the templates. Values of metadata that are fixed are
// left out: they may be secrets, and a hash lets them be guessed at.
func (m *Method) identify(j *loadgen.JourneySpec, d *Data, o *JourneyOptions) {
	b := loadgen.AppendText(nil, m.FullName())
	b = loadgen.AppendText(b, o.Authority)
	b = append(b, d.digest[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(o.Requests))
	j.Draws = j.Draws || !d.Static()
	if o.Metadata != nil {
		for _, f := range o.Metadata.fixed {
			b = loadgen.AppendText(b, f.Name)
		}
		for _, f := range o.Metadata.varying {
			b = append(loadgen.AppendText(b, f.name), f.digest[:]...)
			j.Draws = true
		}
	}
	// A sum, so that journeys of many steps stay small.
	sum := sha256.Sum256(b)
	j.Sends = slices.Concat(j.Sends, sum[:])
}

// digestOf is of a text, and of the rows that its templates may take from. The
// worker is left out, since all workers of a load have one schedule.
func digestOf(text string, o *DataOptions) [sha256.Size]byte {
	b := loadgen.AppendText(nil, text)
	if o.Table != nil && hasTemplate(text) {
		b = append(b, o.Table.digest[:]...)
		if o.RandomRows {
			b = append(b, "random"...)
		}
	}
	return sha256.Sum256(b)
}
