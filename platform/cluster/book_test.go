package cluster

import (
	"log/slog"
	"net"
	"testing"
	"time"

	"breakbank/platform/book"
	bookv1 "breakbank/proto/book/v1"
)

// TestABookThatServesNobodyIsOver: whoever looks after its process must hear of
// it, or there is a book that says it is ready and is none.
func TestABookThatServesNobodyIsOver(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b, err := startBookRole(t.Context(), bookRoleConfig{
		Dir: t.TempDir(), Listener: l, Bank: Bank{Stores: []string{"main"}, Seed: func(string) []*bookv1.Operation { return nil }},
		Options: book.Options{Durability: book.Memory}, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}()
	select {
	case <-b.over:
		t.Fatal("over before anything happened")
	default:
	}
	l.Close()
	select {
	case <-b.over:
	case <-time.After(bookStopLimit):
		t.Error("nobody hears that it serves no more")
	}
}
