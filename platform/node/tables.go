package node

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// tableReadLimit bounds how long a router of another node may take to ask.
const tableReadLimit = 5 * time.Second

// lendTables serves the router's table to those of other nodes until ctx ends.
func lendTables(ctx context.Context, l net.Listener, tables http.Handler, log *slog.Logger) {
	server := &http.Server{Handler: tables, ReadHeaderTimeout: tableReadLimit, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })() // who reads has the table from elsewhere too
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		log.Error("the router's table is not lent any more", "error", err)
	}
}
