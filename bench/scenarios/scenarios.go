// Package scenarios embeds the scenarios that come with breakbank. A scenario
// is a YAML file here; package scenario reads it.
package scenarios

import "embed"

// FS holds one file a scenario, named NAME.yaml.
//
//go:embed *.yaml
var FS embed.FS
