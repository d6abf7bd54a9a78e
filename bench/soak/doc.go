// Package soak holds a platform under a steady load for a long time and says
// whether its processes stay as they are: memory, goroutines, open files.
//
// What is judged is growth: the slope of a straight line through what was read
// (least squares), times how long it was read, with its 95 % interval. Readings
// that follow one another are alike: a heap climbs until it is collected. So the
// interval comes from a bootstrap that draws what the line leaves over in blocks
// of neighbours (Künsch 1989, "The Jackknife and the Bootstrap for General
// Stationary Observations"), and not from the law for independent errors, which
// would be too sure of itself.
//
//	flat     the whole interval lies below the bound
//	grows    the whole interval lies above it
//	unclear  the bound lies within it: soak longer
//
// The bound is a share of the level and a constant, of the series' own kind.
package soak
