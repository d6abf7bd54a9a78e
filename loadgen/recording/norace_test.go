//go:build !race

package recording_test

const raceDetector = false
