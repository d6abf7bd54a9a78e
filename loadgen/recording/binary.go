package recording

import (
	"bytes"
	"errors"
	"fmt"
	"math"

	"breakbank/loadgen"

	"github.com/klauspost/compress/zstd"
)

// A snapshot written down is a magic number and a version, and then a body that
// is compressed with zstd. In the body numbers are unsigned varints, texts and
// lists carry their length, and histograms are the counts of HdrHistogram's V2
// encoding (packed): their header would be the same each time, and each of them
// compressed by itself would be twice as long.
const (
	snapshotHead = "BBRS\x01"
	// The body is bounded, and so is each list in it: a day of six journeys is
	// some 30 MB, and five minutes of one 0.3 MB.
	bodyMaxBytes   = 64 << 20
	journeysMax    = 256 // a loadgen.Journey is a byte
	phasesMax      = 1024
	nameMaxBytes   = 256
	packedMaxBytes = 8 * gridSteps
	// windowBytes is how far back zstd looks for what repeats.
	windowBytes = 1 << 20
	// talliesMax bounds what comes of seconds times journeys: a day of 16.
	talliesMax = 16 * secondsMax
)

// MarshalBinary writes the snapshot down. Snapshots of the same figures are
// written down alike.
func (s *Snapshot) MarshalBinary() ([]byte, error) {
	if err := s.checkSize(); err != nil {
		return nil, fmt.Errorf("write recording: %w", err)
	}
	w := bodyWriter{}
	w.snapshot(s)
	if len(w.buf) > bodyMaxBytes {
		return nil, fmt.Errorf("write recording: %d bytes, of at most %d", len(w.buf), bodyMaxBytes)
	}
	zip, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true), zstd.WithWindowSize(windowBytes))
	if err != nil {
		return nil, fmt.Errorf("write recording: %w", err)
	}
	return zip.EncodeAll(w.buf, []byte(snapshotHead)), nil
}

// UnmarshalBinary reads what MarshalBinary wrote. Whatever it is given, it takes
// a bounded amount of memory; an error leaves the snapshot as it was.
func (s *Snapshot) UnmarshalBinary(data []byte) error {
	zipped, ok := bytes.CutPrefix(data, []byte(snapshotHead))
	if !ok {
		return errors.New("read recording: it does not begin as version 1 of one does")
	}
	unzip, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(bodyMaxBytes))
	if err != nil {
		return fmt.Errorf("read recording: %w", err)
	}
	defer unzip.Close()
	body, err := unzip.DecodeAll(zipped, nil)
	if err != nil {
		return fmt.Errorf("read recording: %w", err)
	}
	r := bodyReader{rest: body}
	read := r.snapshot()
	if r.err == nil && len(r.rest) > 0 {
		r.err = fmt.Errorf("%d bytes more than there should be", len(r.rest))
	}
	if r.err != nil {
		return fmt.Errorf("read recording: %w", r.err)
	}
	*s = *read
	return nil
}

// checkSize says what of a snapshot could not be read back.
func (s *Snapshot) checkSize() error {
	switch {
	case len(s.names) > journeysMax:
		return fmt.Errorf("%d journeys, of at most %d", len(s.names), journeysMax)
	case len(s.phases) > phasesMax:
		return fmt.Errorf("%d phases, of at most %d", len(s.phases), phasesMax)
	case s.seconds > secondsMax || s.seconds*len(s.names) > talliesMax:
		return fmt.Errorf("%d journeys for %d s, of at most %d in all", len(s.names), s.seconds, talliesMax)
	}
	for _, name := range s.names {
		if len(name) > nameMaxBytes {
			return fmt.Errorf("the name of a journey is longer than %d bytes", nameMaxBytes)
		}
	}
	for i := range s.phases {
		if len(s.phases[i].Name) > nameMaxBytes {
			return fmt.Errorf("the name of a phase is longer than %d bytes", nameMaxBytes)
		}
	}
	return nil
}

func (w *bodyWriter) snapshot(s *Snapshot) {
	w.number(int64(len(s.names)))
	for _, name := range s.names {
		w.text(name)
	}
	w.number(int64(len(s.phases)))
	for i := range s.phases {
		w.text(s.phases[i].Name)
		w.signed(s.phases[i].FromNs)
		w.signed(s.phases[i].ToNs)
	}
	w.number(s.goodNs)
	w.number(int64(s.seconds))
	for i := range s.cells {
		w.tallies(&s.cells[i].tallies)
		w.packed(s.cells[i].times[:])
	}
	for _, n := range [...]int64{
		s.retries.OK, s.retries.Degraded, s.retries.Declined, s.retries.Failed, s.retries.Unknown,
		s.attempts, s.messages,
	} {
		w.number(n)
	}
	w.packed([]packed{s.retryTimes})
	w.bounded(&s.codes)
	w.bounded(&s.classes)
	w.bounded(&s.routes)
	for second := range s.seconds {
		of := s.counts.second(second)
		for j := range of {
			w.tallies(&of[j])
		}
	}
	w.spans(&s.series)
	w.spans(&s.log)
}

func (r *bodyReader) snapshot() *Snapshot {
	names := make([]string, r.count(journeysMax, 1))
	for i := range names {
		names[i] = r.text(nameMaxBytes)
	}
	phases := make([]Phase, r.count(phasesMax, 3))
	for i := range phases {
		phases[i] = Phase{Name: r.text(nameMaxBytes), FromNs: r.signed(), ToNs: r.signed()}
	}
	goodNs := r.number(math.MaxInt64)
	seconds := int(r.number(secondsMax))
	var s Snapshot
	s.names, s.phases, s.seconds = names, phases, seconds
	if err := s.checkSize(); err != nil {
		r.fail(err)
	}
	// What is there must be enough for what it says it is, at a byte a number.
	if r.needs((len(phases)+1)*len(names)*(tallyNumbers+clockCount) + seconds*len(names)*tallyNumbers) {
		return nil
	}
	s.start(names, phases, goodNs)
	s.seconds = seconds
	for i := range s.cells {
		s.cells[i].tallies = r.tallies()
		r.packed(s.cells[i].times[:], gridSteps)
	}
	for _, n := range [...]*int64{
		&s.retries.OK, &s.retries.Degraded, &s.retries.Declined, &s.retries.Failed, &s.retries.Unknown,
		&s.attempts, &s.messages,
	} {
		*n = r.number(countMax)
	}
	t := &s.retries
	t.Offered = min(t.OK+t.Degraded+t.Declined+t.Failed+t.Unknown, countMax)
	retryTimes := []packed{""}
	r.packed(retryTimes, gridSteps)
	s.retryTimes = retryTimes[0]
	r.bounded(&s.codes)
	r.bounded(&s.classes)
	r.bounded(&s.routes)
	if seconds > 0 {
		s.counts.reach(seconds - 1)
	}
	for second := range seconds {
		of := s.counts.second(second)
		for j := range of {
			of[j] = r.tallies()
		}
	}
	r.spans(&s.series, seconds, gridSteps>>seriesCoarser)
	r.spans(&s.log, seconds, gridSteps)
	return &s
}

// tallyNumbers is how many numbers tallies are.
const tallyNumbers = 3 + int(loadgen.Unknown)

func (w *bodyWriter) tallies(t *tallies) {
	w.number(t.scheduled)
	w.number(t.sent)
	w.number(t.good)
	for _, n := range t.outcomes[loadgen.OK:] {
		w.number(n)
	}
}

func (r *bodyReader) tallies() (t tallies) {
	t.scheduled, t.sent, t.good = r.number(countMax), r.number(countMax), r.number(countMax)
	for o := loadgen.OK; o <= loadgen.Unknown; o++ {
		t.outcomes[o] = r.number(countMax)
	}
	return t
}

func (w *bodyWriter) bounded(b *bounded) {
	w.number(int64(len(b.entries)))
	for _, name := range b.names() {
		w.text(name)
		w.number(b.entries[name].count)
	}
	w.number(b.other)
}

func (r *bodyReader) bounded(b *bounded) {
	before := ""
	for i := range r.count(int64(b.limit), 2) {
		name := r.text(classNameMaxBytes)
		if i > 0 && name <= before {
			r.fail(errors.New("the names of a table are not in order"))
		}
		before = name
		b.add([]byte(name), r.number(countMax))
	}
	b.other = r.number(countMax)
}

// spans writes the parts only: how they are cut follows from the seconds.
func (w *bodyWriter) spans(s *spans) {
	for _, part := range s.coarse {
		w.packed(part)
	}
	for _, part := range s.fine {
		w.packed(part)
	}
	partial := s.partial
	if partial == nil {
		partial = make([]packed, s.kinds)
	}
	w.packed(partial)
}

func (r *bodyReader) spans(s *spans, seconds, steps int) {
	if r.err != nil {
		return
	}
	s.advance(seconds)
	for _, part := range s.coarse {
		r.packed(part, steps)
	}
	for _, part := range s.fine {
		r.packed(part, steps)
	}
	partial, some := make([]packed, s.kinds), false
	r.packed(partial, steps)
	for _, p := range partial {
		some = some || p != ""
	}
	if some && s.closed%s.width == 0 {
		r.fail(errors.New("there is something after the last second"))
	}
	if some {
		s.partial = partial
	}
}
