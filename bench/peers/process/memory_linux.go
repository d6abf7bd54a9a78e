package process

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
)

// Resident is how many bytes of memory the child itself has, without what it
// started (proc(5), /proc/PID/statm, the second field, in pages).
func Resident(c *Child) (int64, error) {
	if err := c.Err(); err != nil {
		return 0, err
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", c.PID()))
	if err != nil {
		return 0, fmt.Errorf("read the memory of %s: %w", c.name, err)
	}
	fields := bytes.Fields(text)
	if len(fields) < 2 {
		return 0, fmt.Errorf("read the memory of %s: %q is not statm", c.name, text)
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read the memory of %s: %w", c.name, err)
	}
	return pages * int64(os.Getpagesize()), nil
}
