//go:build !linux

package workers

// roles are played on Linux only.
var roles map[string]func() int
