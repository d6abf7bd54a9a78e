package workers

import (
	"encoding/json"
	"fmt"

	"breakbank/loadgen"
)

// Report is what a worker measured.
type Report struct {
	// Worker, Host, Part and Parts are set on the way.
	Worker string `json:"worker"`
	Host   string `json:"host"`
	Part   int    `json:"part"`
	Parts  int    `json:"parts"`
	// Summary is what the runner did. SentNs is cut to microseconds on the way,
	// and arrives packed: MergeSummaries unpacks it, Summary.SentNs of a report
	// that has arrived is nil.
	Summary loadgen.Summary `json:"summary"`
	// Facts is whatever else the caller needs for its verdict.
	Facts json.RawMessage `json:"facts,omitempty"`
	// Reasons say why this worker's measurements must not be believed.
	Reasons []string `json:"reasons,omitempty"`
	// Snapshot is a serialised recording.
	Snapshot []byte `json:"-"`

	sent []byte // Summary.SentNs, packed
}

// encode is the report as it travels.
func (r *Report) encode() ([]byte, error) {
	c := *r
	c.Summary.SentNs = nil
	head, err := json.Marshal(&c)
	if err != nil {
		return nil, fmt.Errorf("encode the report: %w", err)
	}
	data := frame(head, packSent(r.Summary.SentNs, r.Part, r.Parts), r.Snapshot)
	if len(data) > reportMax {
		return nil, fmt.Errorf("the report has %d bytes: %d are the most", len(data), reportMax)
	}
	return data, nil
}

// decodeReport reads a report of a part. It keeps data.
func decodeReport(data []byte, part, parts int) (Report, error) {
	fields, err := unframe(data, 3)
	if err != nil {
		return Report{}, err
	}
	var r Report
	if err := json.Unmarshal(fields[0], &r); err != nil {
		return Report{}, err
	}
	r.Part, r.Parts, r.Summary.SentNs, r.sent, r.Snapshot = part, parts, nil, fields[1], fields[2]
	return r, checkSent(r.sent, part, parts)
}

// MergeSummaries adds up what several parts of one schedule did. SentNs keeps
// the clock of each worker: nanoseconds since its own origin. The peaks of the
// workers are added, whether or not they were at the same time.
func MergeSummaries(reports []Report) loadgen.Summary {
	var sum loadgen.Summary
	for i := range reports {
		r := &reports[i]
		s := &r.Summary
		sum.Scheduled += s.Scheduled
		sum.Sent += s.Sent
		sum.Dropped += s.Dropped
		sum.Late += s.Late
		sum.Unsent += s.Unsent
		sum.Retries += s.Retries
		sum.PeakInFlight += s.PeakInFlight
		sum.MaxInFlight += s.MaxInFlight
		sum.Interrupted = sum.Interrupted || s.Interrupted
		if s.SentNs != nil {
			sum.SentNs = longEnough(sum.SentNs, len(s.SentNs))
			for seq := r.Part; seq < len(s.SentNs); seq += max(1, r.Parts) {
				sum.SentNs[seq] = s.SentNs[seq]
			}
			continue
		}
		n, sent := sentTimes(r.sent, r.Part, r.Parts)
		if n == noTimes {
			continue
		}
		sum.SentNs = longEnough(sum.SentNs, n)
		for seq, ns := range sent {
			sum.SentNs[seq] = ns
		}
	}
	return sum
}

// longEnough has n times at least, those that are new not sent.
func longEnough(sentNs []int64, n int) []int64 {
	if sentNs == nil {
		sentNs = make([]int64, 0, n)
	}
	for len(sentNs) < n {
		sentNs = append(sentNs, loadgen.NotSent)
	}
	return sentNs
}
