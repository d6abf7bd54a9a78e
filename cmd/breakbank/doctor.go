package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"breakbank/bench/doctor"
	"breakbank/bench/screen"
)

// doctorCommand says what this machine has and lacks.
type doctorCommand struct {
	Dir  []string `type:"existingdir" placeholder:"DIR" help:"Where runs write their results, to be looked at beside the temporary directory. May be repeated. Default: the working directory."`
	JSON bool     `help:"Print facts and findings as JSON and nothing else."`
}

func (c *doctorCommand) Run(ctx context.Context, t terminal) error {
	results := c.Dir
	if len(results) == 0 {
		results = []string{"."}
	}
	facts, err := doctor.Probe(ctx, doctor.Options{Data: os.TempDir(), Results: results, Control: defaultAdminAddress})
	if err != nil {
		return fmt.Errorf("interrupted: %w", err)
	}
	findings := doctor.Judge(facts)
	_, colours := screen.Terminal(t.out)
	result := struct {
		Facts    doctor.Facts     `json:"facts"`
		Findings []doctor.Finding `json:"findings"`
	}{facts, findings}
	if err := t.show(c.JSON, result, doctor.Text(findings, colours)); err != nil {
		return err
	}
	if impossible := doctor.Impossible(findings); len(impossible) > 0 {
		return fmt.Errorf("runs are impossible here: %s", strings.Join(impossible, "; "))
	}
	return nil
}
