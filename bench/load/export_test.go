package load

import (
	"encoding/json"

	"breakbank/loadgen/workers"
)

// JobOf is what a coordinator tells its workers of a resolved spec, and the hash
// of the schedule that they must draw.
func JobOf(s Spec, runID string) (told []byte, scheduleSHA256 string, err error) {
	p, err := newPlay(s, runID, 0, 1)
	if err != nil {
		return nil, "", err
	}
	told, err = json.Marshal(job{Spec: s, RunID: runID})
	return told, p.main.schedule.SHA256(), err
}

// LastTold is what a worker told last.
func LastTold(w workers.WorkerState) (Tick, error) {
	f, err := decodeFrame(w.Progress.Snapshot)
	if err != nil {
		return Tick{}, err
	}
	return (&pulse{}).tick(f), nil
}
