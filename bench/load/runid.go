package load

import (
	"crypto/rand"
	"encoding/hex"
	"strings"
	"time"
)

// runIDBytes of chance end a run's id. Two runs may begin in one second, on two
// machines that know nothing of each other; the id is in the keys of the bank's
// payments, where no directory could tell them apart.
const runIDBytes = 4

// NewRunID names a run: when it began, what it is, and chance, such as
// 20171027-125500-load-Pay-1f3a9c02.
func NewRunID(began time.Time, words ...string) string {
	var chance [runIDBytes]byte
	_, _ = rand.Read(chance[:]) // It never fails.
	parts := append([]string{began.UTC().Format("20060102-150405")}, words...)
	return strings.Join(append(parts, hex.EncodeToString(chance[:])), "-")
}
