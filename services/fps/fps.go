// Package fps is the edge that faces the Faster Payments hub. An inbound
// payment is credited at once through payments; when payments does not answer
// in time it is accepted all the same, kept in a JetStream work queue and
// credited later, once. The queue is shared by all instances.
package fps

import (
	"context"
	"fmt"

	"breakbank/platform/events"
	"breakbank/platform/node"
	"breakbank/platform/rpc"
	bankv1 "breakbank/proto/bank/v1"
)

// New makes an instance that serves FasterPaymentsService on env.Listener, and
// drains the queue at env.NATSURL for as long as it lives. NATS may be away
// then and later: what would be queued is answered with an error meanwhile.
func New(ctx context.Context, env node.Env) (node.Instance, error) {
	bus, err := events.Connect(ctx, env.NATSURL)
	if err != nil {
		return nil, fmt.Errorf("fps: %w", err)
	}
	server := rpc.NewServer(rpc.ServerConfig{
		Service: env.Service, Instance: env.Instance, Listener: env.Listener, Log: env.Log,
		Edge: true, AccessLog: env.AccessLog,
	})
	payments := payments{dialer: env.Dialer}
	drainer := startDrainer(context.WithoutCancel(ctx), bus, payments, env.Log)
	server.OnClose(func() {
		drainer.stop()
		if err := bus.Close(); err != nil {
			env.Log.Warn("close the connection to NATS", "err", err)
		}
	})
	bankv1.RegisterFasterPaymentsServiceServer(server.Registrar(), &service{
		payments: payments, queue: queue{bus: bus}, drainer: drainer, log: env.Log,
	})
	return server, nil
}
