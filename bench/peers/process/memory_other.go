//go:build !linux

package process

// Resident is read from Linux.
func Resident(*Child) (int64, error) { return 0, ErrNoClock }
