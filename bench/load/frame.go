package load

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"breakbank/loadgen/recording"
)

// frame is one look at a load under way, in one process: counts and histograms
// since its phase began. Frames of several workers are added up.
type frame struct {
	Phase    string           `json:"phase"`
	At       time.Duration    `json:"at_ns"`
	Of       time.Duration    `json:"of_ns"`
	Offered  int64            `json:"offered"`
	Sent     int64            `json:"sent"`
	Done     int64            `json:"done"`
	Good     int64            `json:"good"`
	Degraded int64            `json:"degraded"`
	InFlight int64            `json:"in_flight"`
	Retries  int64            `json:"retries"`
	Errors   map[string]int64 `json:"errors"`

	response, sendDelay *hdrhistogram.Histogram
}

// look takes a frame of a phase that began some time ago.
func (p *phase) look(at time.Duration) frame {
	s := p.recorder.Snapshot()
	t := s.Totals(0, at)
	f := frame{
		Phase: p.name, At: at, Of: p.schedule.Duration, Errors: t.Errors, Good: s.Good(), Degraded: t.Degraded,
		Done: ended(t), Retries: s.Retries().Offered,
		response: s.Overall(recording.Response), sendDelay: s.Overall(recording.SendDelay),
	}
	if p.closed > 0 {
		if at < p.schedule.Duration {
			f.InFlight = int64(p.closed)
		}
		f.Offered = f.Done + f.InFlight
	} else {
		f.Offered = share64(p.schedule.Until(at), p.part, p.parts)
		// A record may come while the copy is made.
		f.InFlight = max(0, f.Offered-f.Done)
	}
	f.Sent = t.Sent + f.InFlight
	return f
}

// ended is how many records there are.
func ended(t recording.Totals) int64 { return t.OK + t.Degraded + t.Declined + t.Failed + t.Unknown }

// share64 is how many of n arrivals belong to a part.
func share64(n, part, parts int) int64 {
	if n <= part {
		return 0
	}
	return int64((n - part + parts - 1) / parts)
}

// add adds the frame of another worker in the same phase.
func (f *frame) add(g frame) error {
	if f.response == nil {
		*f = g
		f.Errors = maps.Clone(g.Errors)
		return nil
	}
	f.At = max(f.At, g.At)
	f.Offered, f.Sent, f.Done, f.Good = f.Offered+g.Offered, f.Sent+g.Sent, f.Done+g.Done, f.Good+g.Good
	f.Degraded, f.InFlight, f.Retries = f.Degraded+g.Degraded, f.InFlight+g.InFlight, f.Retries+g.Retries
	for code, n := range g.Errors {
		f.Errors[code] += n
	}
	if f.response.Merge(g.response) > 0 || f.sendDelay.Merge(g.sendDelay) > 0 {
		return errors.New("a worker's histogram does not fit")
	}
	return nil
}

// encode writes a frame down: the length of its JSON, the JSON, the length of
// the first histogram, and both histograms.
func (f *frame) encode() ([]byte, error) {
	head, err := json.Marshal(f)
	if err != nil {
		return nil, fmt.Errorf("write a frame: %w", err)
	}
	response, err := f.response.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	if err != nil {
		return nil, fmt.Errorf("write a frame: %w", err)
	}
	delay, err := f.sendDelay.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	if err != nil {
		return nil, fmt.Errorf("write a frame: %w", err)
	}
	return joinBlocks(head, response, delay), nil
}

func decodeFrame(data []byte) (frame, error) {
	var f frame
	blocks, err := splitBlocks(data, 3)
	if err != nil {
		return f, fmt.Errorf("read a frame: %w", err)
	}
	if err := json.Unmarshal(blocks[0], &f); err != nil {
		return f, fmt.Errorf("read a frame: %w", err)
	}
	if f.response, err = hdrhistogram.Decode(blocks[1]); err != nil {
		return f, fmt.Errorf("read a frame: %w", err)
	}
	if f.sendDelay, err = hdrhistogram.Decode(blocks[2]); err != nil {
		return f, fmt.Errorf("read a frame: %w", err)
	}
	if f.Errors == nil {
		f.Errors = map[string]int64{}
	}
	return f, nil
}

// joinBlocks writes blocks one after the other, each after its length.
func joinBlocks(blocks ...[]byte) []byte {
	var out []byte
	for _, b := range blocks {
		out = binary.BigEndian.AppendUint32(out, uint32(len(b)))
		out = append(out, b...)
	}
	return out
}

func splitBlocks(data []byte, n int) ([][]byte, error) {
	blocks := make([][]byte, n)
	for i := range blocks {
		if len(data) < 4 {
			return nil, errors.New("it is cut short")
		}
		length := int(binary.BigEndian.Uint32(data))
		if data = data[4:]; length > len(data) {
			return nil, errors.New("it is cut short")
		}
		blocks[i], data = data[:length], data[length:]
	}
	return blocks, nil
}

// pulse makes ticks of frames: what is new since the last one.
type pulse struct{ last frame }

func (p *pulse) tick(f frame) Tick {
	if p.last.Phase != f.Phase {
		p.last = frame{Phase: f.Phase}
	}
	t := Tick{
		Phase: f.Phase, At: f.At, Of: f.Of, Offered: f.Offered, Sent: f.Sent, Done: f.Done, Good: f.Good,
		Degraded: f.Degraded, InFlight: f.InFlight, Retries: f.Retries, Errors: f.Errors,
		Last:    latencyIn(since(p.last.response, f.response)),
		Overall: latencyIn(f.response), SendDelay: latencyIn(f.sendDelay),
	}
	if passed := (f.At - p.last.At).Seconds(); passed > 0 {
		t.RatePerS = float64(f.Sent-p.last.Sent) / passed
		t.GoodPerS = float64(f.Good-p.last.Good) / passed
	}
	p.last = f
	return t
}
