// Package capacity is the body of `breakbank capacity`: the highest rate at which
// a target meets an objective, with an interval, and its throughput–latency
// curve.
//
//	climb    double the rate until the objective is missed
//	narrow   halve the distance, in ratio, until it is within the resolution
//	confirm  probe again around it, in random order, until the interval is narrow
//	curve    probe from 10 % to 120 % of what was found
//
// A probe is an open-loop load of a few seconds (bench/load), with a seed of its
// own. Whether it meets the objective has chance in it, so one bisection is no
// measurement: all probes together are one (belief). Where the generator could
// not keep to its schedule a probe says nothing of the target; if that is what
// ends the climb, the answer is "at least".
//
// Search and belief are pure. What offers loads is Run.
package capacity
