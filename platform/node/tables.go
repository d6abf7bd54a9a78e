package node

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Bounds of who asks for the table: a router of another node asks with a line,
// and reads a few hundred kilobytes. Few ask, so one who does not read must not
// keep the others out.
const (
	tableReadLimit  = 5 * time.Second
	tableWriteLimit = 15 * time.Second
	tableIdleLimit  = 60 * time.Second
	tableHeaderMax  = 16 << 10
)

// lendTables serves the router's table to those of other nodes until ctx ends.
func lendTables(ctx context.Context, l net.Listener, tables http.Handler, log *slog.Logger) {
	server := &http.Server{
		Handler: tables, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		ReadTimeout: tableReadLimit, WriteTimeout: tableWriteLimit, IdleTimeout: tableIdleLimit, MaxHeaderBytes: tableHeaderMax,
	}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })() // who reads has the table from elsewhere too
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		log.Error("the router's table is not lent any more", "error", err)
	}
}
