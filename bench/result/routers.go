package result

// amplification is attempts per request over all routers and the whole run. A
// router's counts start over when it is restarted: a count below the one before
// it is a new router's.
func amplification(seconds []Second) float64 {
	type counts struct{ requests, attempts int64 }
	last := make(map[string]counts)
	var sum counts
	for _, second := range seconds {
		for _, router := range second.Routers {
			now, before := counts{router.Requests, router.Attempts}, last[router.Node]
			if now.requests < before.requests || now.attempts < before.attempts {
				before = counts{}
			}
			sum.requests += now.requests - before.requests
			sum.attempts += now.attempts - before.attempts
			last[router.Node] = now
		}
	}
	if sum.requests == 0 {
		return 0
	}
	return float64(sum.attempts) / float64(sum.requests)
}

func staleness(run Run) Staleness {
	s := Staleness{RouterSeconds: map[string]int64{}}
	for i := range run.Records {
		r := &run.Records[i]
		if r.Route == "stale" {
			s.AnswersStale++
		}
		s.AnswerAgeMaxMs = max(s.AnswerAgeMaxMs, r.RouteAgeMs)
	}
	for _, second := range run.Seconds {
		for _, router := range second.Routers {
			s.RouterSeconds[router.State]++
			s.RouterAgeMaxMs = max(s.RouterAgeMaxMs, router.AgeMs)
		}
	}
	return s
}
