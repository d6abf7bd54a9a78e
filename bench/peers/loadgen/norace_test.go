//go:build !race

package loadgen

// slack leaves the bounds as they are.
const slack = 1
