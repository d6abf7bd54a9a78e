//go:build race

package evidence_test

// raceDetector says whether the tests run under it.
const raceDetector = true
