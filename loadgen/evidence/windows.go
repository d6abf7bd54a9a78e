package evidence

import "breakbank/loadgen"

// Windows cuts a span of a run into windows by intended time and gives for each
// the median response in milliseconds and the share of journeys that were ok or
// declined, without retries. A window without journeys, and a last one cut short,
// are left out.
func Windows(records []loadgen.Record, fromNs, toNs, widthNs int64) (medianMs, goodShare []float64) {
	if widthNs <= 0 || toNs-fromNs < widthNs {
		return nil, nil
	}
	n := (toNs - fromNs) / widthNs
	responses, good, all := make([][]float64, n), make([]int, n), make([]int, n)
	for i := range records {
		r := &records[i]
		w := (r.IntendedNs - fromNs) / widthNs
		if r.IntendedNs < fromNs || w >= n || r.Retry > 0 {
			continue
		}
		all[w]++
		if r.Outcome == loadgen.OK || r.Outcome == loadgen.Declined {
			good[w]++
		}
		if r.Sent() {
			responses[w] = append(responses[w], float64(r.DoneNs-r.IntendedNs-r.ThinkNs)/1e6)
		}
	}
	for w := range n {
		if all[w] > 0 {
			medianMs = append(medianMs, median(responses[w]))
			goodShare = append(goodShare, float64(good[w])/float64(all[w]))
		}
	}
	return medianMs, goodShare
}

// steadyWindowsMax bounds how many windows a load is tested with: the test takes
// their square.
const steadyWindowsMax = 120

// condensed are at most so many windows, each the median of as many of the given
// ones; a last group cut short is left out.
func condensed(windows []float64, most int) []float64 {
	group := (len(windows) + most - 1) / most
	if group <= 1 {
		return windows
	}
	var medians []float64
	for ; len(windows) >= group; windows = windows[group:] {
		medians = append(medians, median(windows[:group]))
	}
	return medians
}
