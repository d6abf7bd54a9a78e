package overload

import (
	"errors"
	"fmt"
)

// Config says which overlays stand before a service. One that is nil is off.
type Config struct {
	Concurrency *ConcurrencyConfig `yaml:"concurrency"`
	Breaker     *BreakerConfig     `yaml:"breaker"`
	Admission   *AdmissionConfig   `yaml:"admission"`
	Criticality *CriticalityConfig `yaml:"criticality"`
	Queue       *QueueConfig       `yaml:"queue"`
	Deadline    *DeadlineConfig    `yaml:"deadline"`
}

// WithDefaults fills in what the overlays that are on leave out.
func (c Config) WithDefaults() Config {
	return Config{
		Concurrency: filled(c.Concurrency),
		Breaker:     filled(c.Breaker),
		Admission:   filled(c.Admission),
		Criticality: filled(c.Criticality),
		Queue:       filled(c.Queue),
		Deadline:    filled(c.Deadline),
	}
}

func filled[C interface{ WithDefaults() C }](c *C) *C {
	if c == nil {
		return nil
	}
	full := (*c).WithDefaults()
	return &full
}

// Validate says what is wrong with the overlays that are on, and what would be
// right. It expects the defaults to be filled in.
func (c Config) Validate() error {
	errs := []error{
		checked(ReasonConcurrency, c.Concurrency),
		checked(ReasonBreaker, c.Breaker),
		checked(ReasonAdmission, c.Admission),
		checked(ReasonCriticality, c.Criticality),
		checked(ReasonQueue, c.Queue),
		checked(ReasonDeadline, c.Deadline),
	}
	if c.Criticality != nil && c.Concurrency == nil && c.Admission == nil {
		errs = append(errs, fmt.Errorf("overlay %s: there is no pressure to shed by: configure %s or %s too", ReasonCriticality, ReasonConcurrency, ReasonAdmission))
	}
	if c.Queue != nil && c.Concurrency == nil {
		errs = append(errs, fmt.Errorf("overlay %s: it waits for places under the %s limit: configure that too", ReasonQueue, ReasonConcurrency))
	}
	return errors.Join(errs...)
}

func checked[C interface{ Validate() error }](name string, c *C) error {
	if c == nil {
		return nil
	}
	if err := (*c).Validate(); err != nil {
		return fmt.Errorf("overlay %s: %w", name, err)
	}
	return nil
}
