// Package arms embeds the arms that come with breakbank. An arm is a YAML file
// here; package arm reads it.
package arms

import "embed"

// FS holds one file an arm, named NAME.yaml.
//
//go:embed *.yaml
var FS embed.FS
