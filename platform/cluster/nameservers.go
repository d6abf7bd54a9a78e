package cluster

import (
	"context"
	"fmt"
	"net"

	"breakbank/platform/dns"
	"breakbank/platform/router"
)

// nameServerRole is the DNS server of a zone.
type nameServerRole struct {
	zone   string
	server *dns.Server
}

// startNameServers starts a DNS server in each zone, where routers ask one.
func (p *Platform) startNameServers(context.Context) error {
	config, err := router.ParseConfig([]byte(p.topology.Router))
	if err != nil {
		return err
	}
	if config.Discovery != "dns" {
		return nil
	}
	for _, zone := range p.topology.Zones {
		name := "dns-" + zone
		conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		server, err := dns.StartServer(dns.ServerConfig{Conn: conn, APIServers: p.apiServersFor(zone), Log: p.logs.of(name)})
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		p.nameServers = append(p.nameServers, nameServerRole{zone, server})
		p.onClose(name, server.Close)
	}
	return nil
}

// nameServersFor lists the name servers as a node in a zone asks them: its own
// zone's first.
func (p *Platform) nameServersFor(zone string) []string {
	var own, others []string
	for _, s := range p.nameServers {
		if s.zone == zone {
			own = append(own, s.server.Addr())
		} else {
			others = append(others, s.server.Addr())
		}
	}
	return append(own, others...)
}
