// Package telemetry is what a process tells about itself, and how it is told
// what to do: the one admin listener, its metrics, and its logs.
//
// Whoever reaches an admin listener can break the platform, which is what the
// platform is for. So it is on loopback, or it asks for a token; see [Serve].
package telemetry
