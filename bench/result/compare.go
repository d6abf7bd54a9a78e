package result

import (
	"fmt"
	"strings"
	"text/tabwriter"
)

// Compared is a row of the comparison of arms.
type Compared struct {
	Arm                 string  `json:"arm"`
	FullOutageS         float64 `json:"full_outage_s"`
	PartialOutageS      float64 `json:"partial_outage_s"`
	PaymentsFailed      int64   `json:"payments_failed"`
	PaymentsUnknown     int64   `json:"payments_unknown"`
	CustomerMinutesLost float64 `json:"customer_minutes_lost"`
	OverspendMinor      int64   `json:"overspend_minor"`
	Valid               bool    `json:"valid"`
	Illustrative        bool    `json:"illustrative"`
}

// Comparison sets runs of several arms side by side. It does not rank them: a
// single run of each is no statistic.
type Comparison struct {
	Rows []Compared `json:"rows"`
	// Cautions say why the rows should not be compared, if they should not.
	Cautions []string `json:"cautions"`
}

// Compare makes a row of each result, in the order given.
func Compare(results []*Result) Comparison {
	c := Comparison{Rows: make([]Compared, 0, len(results)), Cautions: []string{}}
	for _, r := range results {
		c.Rows = append(c.Rows, Compared{
			Arm: r.Arm, FullOutageS: r.Impact.FullOutageS, PartialOutageS: r.Impact.PartialOutageS,
			PaymentsFailed: r.Impact.PaymentsFailed, PaymentsUnknown: r.Impact.PaymentsUnknown,
			CustomerMinutesLost: r.Impact.CustomerMinutesLost, OverspendMinor: r.Impact.OverspendMinor,
			Valid: r.Valid, Illustrative: r.Illustrative,
		})
		if first := results[0]; r.ScheduleSHA256 != first.ScheduleSHA256 {
			c.Cautions = append(c.Cautions, fmt.Sprintf("%s was offered another schedule than %s", r.Arm, first.Arm))
		}
		if !r.Valid {
			c.Cautions = append(c.Cautions, fmt.Sprintf("%s is INVALID: %s", r.Arm, strings.Join(r.InvalidReasons, "; ")))
		}
	}
	return c
}

// String is the comparison as a table for a terminal.
func (c Comparison) String() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "arm\tfull outage s\tpartial outage s\tpayments failed\tunknown\tcustomer-minutes lost\toverspend £\tverdict\t")
	for _, r := range c.Rows {
		verdict := "VALID"
		if !r.Valid {
			verdict = "INVALID"
		}
		if r.Illustrative {
			verdict += ", illustrative"
		}
		fmt.Fprintf(w, "%s\t%.1f\t%.1f\t%d\t%d\t%.1f\t%.2f\t%s\t\n", r.Arm, r.FullOutageS, r.PartialOutageS,
			r.PaymentsFailed, r.PaymentsUnknown, r.CustomerMinutesLost, float64(r.OverspendMinor)/100, verdict)
	}
	// Writes to a strings.Builder do not fail.
	_ = w.Flush()
	for _, caution := range c.Cautions {
		b.WriteString(caution + "\n")
	}
	return b.String()
}
