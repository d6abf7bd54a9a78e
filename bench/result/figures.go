package result

import "breakbank/loadgen/evidence"

// Impact is the headline of a replay. An outage second is a second of a window
// that holds at least 100 journeys of a kind, or its whole phase where that
// holds fewer; windows never reach over phases.
type Impact struct {
	// FullOutageS sums windows where every journey has < 5 % ok and declined.
	FullOutageS float64 `json:"full_outage_s"`
	// PartialOutageS sums windows where any journey has < 99 %, and not full.
	PartialOutageS float64 `json:"partial_outage_s"`
	// The unanswered pair is the same with degraded counted as answered.
	FullUnansweredS    float64 `json:"full_unanswered_s"`
	PartialUnansweredS float64 `json:"partial_unanswered_s"`
	// The paced pair is the first pair in minutes of the scenario.
	FullOutagePacedMin    float64 `json:"full_outage_paced_min"`
	PartialOutagePacedMin float64 `json:"partial_outage_paced_min"`
	// Journeys has the same per journey.
	Journeys map[string]JourneyImpact `json:"journeys"`

	// CustomerMinutesLost sums, per customer, the real time from a first failure
	// to the next journey that was answered, or to the end.
	CustomerMinutesLost      float64 `json:"customer_minutes_lost"`
	CustomerMinutesLostPaced float64 `json:"customer_minutes_lost_paced"`
	CustomersAffected        int64   `json:"customers_affected"`

	PaymentsFailed  int64 `json:"payments_failed"`
	PaymentsUnknown int64 `json:"payments_unknown"`
	// PaymentsDelayed were accepted to be posted later, PaymentsStoodIn decided
	// by stand-in.
	PaymentsDelayed int64 `json:"payments_delayed"`
	PaymentsStoodIn int64 `json:"payments_stood_in"`

	// DetectS, MitigateS and RecoverS count from the first outage second; nil
	// where there was no outage, or it never came to that. Detected is when the
	// burn-rate alert fires (see FirstAlert), mitigated the end of the last
	// second in which fewer than half of all journeys were answered, recovered
	// the end of the last outage of any journey.
	DetectS   *float64 `json:"detect_s"`
	MitigateS *float64 `json:"mitigate_s"`
	RecoverS  *float64 `json:"recover_s"`
	// ImpactFromS is that first outage second.
	ImpactFromS *float64 `json:"impact_from_s"`
	// Recovered says whether the run ended without an outage of any journey.
	Recovered bool `json:"recovered"`

	OverspendMinor int64 `json:"overspend_minor"`
	WrongApprovals int64 `json:"wrong_approvals"`
	WrongDeclines  int64 `json:"wrong_declines"`
	// HoldsReversed is AuditFigures.HoldsReversed.
	HoldsReversed int64 `json:"holds_reversed"`

	// RetryAmplification is attempts per request over all routers: 1 without
	// retries, less where requests found no instance to attempt, 0 where no
	// router counted a request.
	RetryAmplification float64   `json:"retry_amplification"`
	Staleness          Staleness `json:"staleness"`
	Backlog            Backlog   `json:"backlog"`
}

// JourneyImpact is the outage of one journey, in real seconds.
type JourneyImpact struct {
	FullOutageS        float64 `json:"full_outage_s"`
	PartialOutageS     float64 `json:"partial_outage_s"`
	FullUnansweredS    float64 `json:"full_unanswered_s"`
	PartialUnansweredS float64 `json:"partial_unanswered_s"`
}

// Staleness says how old the routes were that answers came over, and how far
// behind the routers fell.
type Staleness struct {
	AnswersStale   int64 `json:"answers_stale"`
	AnswerAgeMaxMs int64 `json:"answer_age_max_ms"`
	RouterAgeMaxMs int64 `json:"router_age_max_ms"`
	// RouterSeconds counts router × second by discovery state.
	RouterSeconds map[string]int64 `json:"router_seconds"`
}

// Backlog is what was still to be posted when the script ended, and how long
// that took.
type Backlog struct {
	// Advices of stand-in, queued inbound payments, and payments that a
	// processor must undo: how many, when first asked after the script.
	Advices   int64 `json:"advices"`
	Queued    int64 `json:"queued"`
	Reversals int64 `json:"reversals"`
	// The peaks are the greatest seen during the run.
	AdvicesPeak   int64 `json:"advices_peak"`
	QueuedPeak    int64 `json:"queued_peak"`
	ReversalsPeak int64 `json:"reversals_peak"`
	// DrainS is how long all took to reach zero, counted from the moment the
	// last phase opened, 0 when they were never seen there. Drained says that it
	// was in the time allowed (incident.md, "recovered": 60 s); Detail says why
	// not.
	DrainS  float64 `json:"drain_s"`
	Drained bool    `json:"drained"`
	Detail  string  `json:"detail,omitempty"`
}

// Load says whether the load was what the schedule asked for.
type Load struct {
	Scheduled int64 `json:"scheduled"`
	Sent      int64 `json:"sent"`
	Done      int64 `json:"done"`
	Dropped   int64 `json:"dropped"`
	// Unaccounted counts what breaks "scheduled = sent + dropped": journeys that
	// were due and have no record, or more than one, and records of sent
	// journeys that the generator did not count. Journeys that came due in the
	// instant in which a load was stopped are none of them, though Scheduled.
	Unaccounted int64 `json:"unaccounted"`
	// SendDelayMs is intended to sent.
	SendDelayMs Latency `json:"send_delay_ms"`
	// SentKS is the Kolmogorov-Smirnov distance of the sent times from the
	// drawn ones, SentGapKS that of the gaps; ScheduleKS that of the drawn
	// inter-arrival times from the exponential law, with its p-value.
	SentKS         float64 `json:"sent_ks"`
	SentGapKS      float64 `json:"sent_gap_ks"`
	ScheduleKS     float64 `json:"schedule_ks"`
	ScheduleKSP    float64 `json:"schedule_ks_p"`
	GCPauseMaxMs   float64 `json:"gc_pause_max_ms"`
	GeneratorCPUS  float64 `json:"generator_cpu_s"`
	GeneratorWallS float64 `json:"generator_wall_s"`
	// GeneratorShare is the processor time as a share of what the generator may use.
	GeneratorShare float64 `json:"generator_share"`
	evidence.Pressure
	// Codes counts failed and unknown journeys by code.
	Codes map[string]int64 `json:"codes"`
}

// Expectation is what incident.md says must be seen in a phase, and what was.
type Expectation struct {
	Phase string `json:"phase"`
	// Journey is the journey's name, or SubjectRouters or SubjectLogs.
	Journey string `json:"journey"`
	// Expected says the bound in words. Observed is the figure, of Offered
	// journeys: a share, 0 to 1; for routers how many were in the state, of how
	// many; for logs how many lines were found.
	Expected string  `json:"expected"`
	Observed float64 `json:"observed"`
	Offered  int64   `json:"offered"`
	Seen     bool    `json:"seen"`
}

// Subjects of an Expectation that are no journeys.
const (
	SubjectRouters = "routers"
	SubjectLogs    = "router logs"
)
