//go:build race

package loadgen

// slack widens the bounds under the race detector, which makes each answer some
// ten times dearer: those of a stall come all at once, and the last of them waits
// for the others.
const slack = 5
