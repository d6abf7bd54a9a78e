package load

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"breakbank/loadgen"
	"breakbank/loadgen/customers"
	adminv1 "breakbank/proto/admin/v1"
	"breakbank/services/bank"
)

// adminCall bounds asking the control API for the bank's addresses.
const adminCall = 5 * time.Second

// How the bank's customers behave.
const (
	CustomersEven   = "even"
	CustomersPeople = "people"
)

// resolve asks the control API where the bank's edges are.
func (b *BankSpec) resolve(ctx context.Context) (*BankSpec, error) {
	if _, err := b.journeys(); err != nil {
		return b, Misuse{err}
	}
	if _, err := b.population(); err != nil {
		return b, Misuse{err}
	}
	if b.Edges != nil {
		return b, nil
	}
	options := []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}
	if b.Token != nil {
		options = append(options, grpc.WithPerRPCCredentials(b.Token))
	}
	conn, err := grpc.NewClient(b.Admin, options...)
	if err != nil {
		return b, Misuse{fmt.Errorf("the control API's address %q: %w", b.Admin, err)}
	}
	defer conn.Close()
	call, cancel := context.WithTimeout(ctx, adminCall)
	defer cancel()
	topology, err := adminv1.NewAdminServiceClient(conn).GetTopology(call, &adminv1.GetTopologyRequest{})
	if err != nil {
		if ctx.Err() != nil {
			return b, errInterrupted
		}
		return b, fmt.Errorf("no bank at %s (is it up? 'breakbank up' brings one up; or name a --target and a --method): %s",
			b.Admin, status.Convert(err).Message())
	}
	resolved := *b
	resolved.Edges = map[string][]string{}
	for _, edge := range topology.GetEdges() {
		at := edge.GetAddress()
		if b.Reach != nil {
			at = b.Reach(edge.GetNode(), edge.GetService(), at)
		}
		resolved.Edges[edge.GetService()] = append(resolved.Edges[edge.GetService()], at)
	}
	for _, service := range []string{"cardnet", "fps", "gateway"} {
		if len(resolved.Edges[service]) == 0 {
			return b, fmt.Errorf("the bank at %s has no %s", b.Admin, service)
		}
	}
	return &resolved, nil
}

// targets are the edges that the journeys use.
func (b *BankSpec) targets() customers.Targets {
	return customers.Targets{CardNet: b.Edges["cardnet"], FPS: b.Edges["fps"], Gateway: b.Edges["gateway"]}
}

// journeys is the table with the mix that was asked for.
func (b *BankSpec) journeys() ([]loadgen.JourneySpec, error) {
	table := customers.Table()
	if len(b.Mix) > 0 {
		if err := mixInto(table, b.Mix); err != nil {
			return nil, err
		}
	}
	if b.Retries {
		table = customers.WithRetries(table, customers.UsualRetries)
	}
	return table, nil
}

func mixInto(table []loadgen.JourneySpec, mix map[string]int) error {
	for name := range mix {
		if _, err := loadgen.Find(table, name); err != nil {
			return fmt.Errorf("the mix: %w", err)
		}
	}
	sum := 0
	for j := range table {
		weight := mix[table[j].Name]
		if weight < 0 {
			return fmt.Errorf("the mix gives %s a weight of %d: say 0 or more", table[j].Name, weight)
		}
		table[j].Weight = weight
		sum += weight
	}
	if sum == 0 {
		return errors.New("the mix gives no journey a weight")
	}
	return nil
}

// Everyone is the bank's customers, as its clients know them.
func Everyone() []customers.Customer {
	all := make([]customers.Customer, bank.Customers)
	for i := range all {
		all[i] = customers.Customer{
			ID: bank.CustomerID(i), Account: bank.CurrentAccount(i),
			CardNumber: bank.CardNumber(i), PrepaidNumber: bank.PrepaidNumber(i),
		}
	}
	return all
}

// population is who makes the load.
func (b *BankSpec) population() (loadgen.Population, error) {
	all := Everyone()
	switch {
	case b.StormAt < 0:
		return nil, fmt.Errorf("the bank cannot write to its customers at %v: say more than 0", b.StormAt)
	case b.Customers == CustomersPeople && b.StormAt > 0:
		return customers.Realistic(all).WithStorm(b.StormAt), nil
	case b.Customers == CustomersPeople:
		return customers.Realistic(all), nil
	case b.Customers != "" && b.Customers != CustomersEven:
		return nil, fmt.Errorf("customers %q: say %s or %s", b.Customers, CustomersEven, CustomersPeople)
	case b.StormAt > 0:
		return nil, fmt.Errorf("customers who are all alike do not look when the bank writes: a storm is for %s", CustomersPeople)
	}
	return customers.Even{Customers: all}, nil
}

// capS is for how long a journey may be under way, for the cap on them: the
// customers' retries come on top of their patience.
func (b *BankSpec) capS(journeys []loadgen.JourneySpec) float64 {
	if !b.Retries {
		return capS
	}
	return max(capS, capFactor*customers.UsualRetries.Lasts(journeys).Seconds())
}

// dayForm is how the pacer of a day is written.
const (
	dayPrefix = "day:"
	dayForm   = dayPrefix + "HH:MM/PACE, such as day:08:00/60 for an hour a minute"
)

// parseDay reads the pacer of a day, whose mean is the rate.
func parseDay(text string, meanPerS float64) (loadgen.Pacer, error) {
	clock, pace, ok := strings.Cut(strings.TrimPrefix(text, dayPrefix), "/")
	from, err := time.Parse("15:04", clock)
	times, wrong := strconv.ParseFloat(pace, 64)
	if !ok || err != nil || wrong != nil {
		return nil, fmt.Errorf("pacer %q: write %s", text, dayForm)
	}
	day := customers.Day{
		MeanPerS: meanPerS, Pace: times,
		From: time.Duration(from.Hour())*time.Hour + time.Duration(from.Minute())*time.Minute,
	}
	return day, day.Validate()
}

func assembleBank(s Spec) (*assembly, error) {
	journeys, err := s.Bank.journeys()
	if err != nil {
		return nil, err
	}
	population, err := s.Bank.population()
	if err != nil {
		return nil, err
	}
	a := &assembly{spec: s, journeys: journeys, population: population, config: s.Bank.targets().Config()}
	if s.Connections > 0 {
		for i := range a.config.Targets {
			a.config.Targets[i].Connections = s.Connections
		}
	}
	if s.Deadline > 0 {
		a.journeys = slices.Clone(a.journeys)
		for j := range a.journeys {
			a.journeys[j].Patience = s.Deadline
		}
	}
	return a, nil
}

// ParseMix reads journeys with their weights: card_tap=3,app_refresh=1.
func ParseMix(text string) (map[string]int, error) {
	mix := map[string]int{}
	for part := range strings.SplitSeq(text, ",") {
		name, number, ok := strings.Cut(strings.TrimSpace(part), "=")
		weight, err := strconv.Atoi(number)
		if !ok || err != nil || weight < 0 {
			return nil, fmt.Errorf("the mix %q: say journeys with their weights, such as card_tap=3,app_refresh=1", text)
		}
		if _, twice := mix[name]; twice {
			return nil, fmt.Errorf("the mix names %s twice", name)
		}
		mix[name] = weight
	}
	return mix, nil
}
