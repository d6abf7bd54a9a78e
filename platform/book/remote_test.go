package book_test

import (
	"errors"
	"strings"
	"testing"

	"breakbank/platform/book"
	"breakbank/platform/book/booktest"
)

// A key that does not fit into a header is as invalid as one that does and is
// too long: to say that the book could not be reached would have it tried for
// ever.
func TestRemoteRefusesKeysThatCannotBeSent(t *testing.T) {
	store := openPebble(t, t.TempDir(), book.Options{Durability: book.Memory})
	remote := dialBook(t, serveBook(t, map[string]book.Store{"ledger": store}), "ledger")
	for _, size := range []int{257, 10 << 10, 100 << 10} {
		_, err := remote.Apply(t.Context(), booktest.Op(strings.Repeat("k", size), booktest.OpenAcc, "a", "", 1, ""))
		if !errors.Is(err, book.ErrInvalid) {
			t.Errorf("a key of %d bytes: %v, want ErrInvalid", size, err)
		} else if n := len(err.Error()); n > 300 {
			t.Errorf("a key of %d bytes: the error has %d", size, n)
		}
	}
}
