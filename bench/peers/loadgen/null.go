package loadgen

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"breakbank/loadgen/nullserver"
)

// tellLimit bounds how long a question to the null server may take.
const tellLimit = 5 * time.Second

// Questions to the null server, a line each.
const (
	askCalls  = "calls"
	askServed = "served"
)

// NullServer is what ServeNull serves.
type NullServer struct {
	// Listen is where calls come in.
	Listen string
	// Tell, if not empty, is where questions do: how many calls so far, and how
	// long they really took.
	Tell string
	// Behaviour is nil to answer at once, otherwise by a clock whose zero is
	// Since.
	Behaviour nullserver.Behaviour
	Since     time.Time
}

// ServeNull serves until ctx ends.
func ServeNull(ctx context.Context, n NullServer) error {
	calls, err := net.Listen("tcp", n.Listen)
	if err != nil {
		return fmt.Errorf("serve nothing: %w", err)
	}
	server := nullserver.Misbehave(calls, n.Behaviour, n.Since)
	if n.Tell == "" {
		<-ctx.Done()
		return server.Close()
	}
	questions, err := net.Listen("tcp", n.Tell)
	if err != nil {
		return errors.Join(fmt.Errorf("serve nothing: %w", err), server.Close())
	}
	var telling sync.WaitGroup
	telling.Go(func() { tell(questions, server) })
	<-ctx.Done()
	err = errors.Join(questions.Close(), server.Close())
	telling.Wait()
	return err
}

// tell answers one question after the other until the listener is closed.
func tell(questions net.Listener, s *nullserver.Server) {
	for {
		conn, err := questions.Accept()
		if err != nil {
			return
		}
		_ = conn.SetDeadline(time.Now().Add(tellLimit)) // An error comes again when it is read.
		question, _ := bufio.NewReader(io.LimitReader(conn, 64)).ReadString('\n')
		switch strings.TrimSpace(question) {
		case askCalls:
			fmt.Fprintf(conn, "%d\n", s.Calls())
		case askServed:
			_ = json.NewEncoder(conn).Encode(ofHistogram(s.Served())) // Who asked has gone.
		}
		conn.Close()
	}
}

// ask asks the null server.
func ask(ctx context.Context, address, question string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, tellLimit)
	defer cancel()
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return "", fmt.Errorf("ask the null server: %w", err)
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	_ = conn.SetDeadline(deadline) // An error comes again when it is used.
	if _, err := fmt.Fprintln(conn, question); err != nil {
		return "", fmt.Errorf("ask the null server: %w", err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		return "", fmt.Errorf("ask the null server: %w", err)
	}
	return strings.TrimSpace(string(answer)), nil
}

// callsSoFar is how many calls the null server has taken.
func callsSoFar(ctx context.Context, address string) (int64, error) {
	answer, err := ask(ctx, address, askCalls)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(answer, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("ask the null server: %w", err)
	}
	return n, nil
}

// servedSoFar is how long calls have really taken.
func servedSoFar(ctx context.Context, address string) (Latency, error) {
	answer, err := ask(ctx, address, askServed)
	if err != nil {
		return nil, err
	}
	l := Latency{}
	if err := json.Unmarshal([]byte(answer), &l); err != nil {
		return nil, fmt.Errorf("ask the null server: %w", err)
	}
	return l, nil
}
