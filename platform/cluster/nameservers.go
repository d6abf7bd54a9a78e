package cluster

import (
	"context"
	"fmt"
	"net"

	"breakbank/platform/dns"
	"breakbank/platform/router"
)

// discoveryDNS is how routers are told to ask name servers.
const discoveryDNS = "dns"

// nameServer is the DNS server of a zone.
type nameServer struct {
	zone   string
	server *dns.Server
}

// startNameServers starts a DNS server in each zone, where routers ask one.
func (s *single) startNameServers(context.Context) error {
	config, err := router.ParseConfig([]byte(s.topology.Router))
	if err != nil {
		return err
	}
	if config.Discovery != discoveryDNS {
		return nil
	}
	for _, zone := range s.topology.Zones {
		name := "dns-" + zone
		conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		server, err := dns.StartServer(dns.ServerConfig{Conn: conn, APIServers: s.apiServersFor(zone), Log: s.logs.Of(name)})
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		s.nameServers = append(s.nameServers, nameServer{zone, server})
		s.onClose(name, server.Close)
	}
	return nil
}

// nameServersFor lists the name servers as a node in a zone asks them: its own
// zone's first.
func (s *single) nameServersFor(zone string) []string {
	var own, others []string
	for _, n := range s.nameServers {
		if n.zone == zone {
			own = append(own, n.server.Addr())
		} else {
			others = append(others, n.server.Addr())
		}
	}
	return append(own, others...)
}

// unsyncedNameServers names those that do not know yet what there is.
func (s *single) unsyncedNameServers() []string {
	var missing []string
	for _, n := range s.nameServers {
		if !n.server.Synced() {
			missing = append(missing, "records of the name server of zone "+n.zone)
		}
	}
	return missing
}
