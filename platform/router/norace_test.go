//go:build !race

package router

// raceDetector says whether the tests run under it.
const raceDetector = false
