package discovery

import (
	"fmt"
	"time"
)

// The TTLs that there are: that of a DNS record in Kubernetes (CoreDNS,
// kubernetes plugin, ttl: 5 s by default, 30 s as deployed by kubeadm), and
// that of one in front of a load balancer, five minutes.
const (
	shortTTL = 30 * time.Second
	longTTL  = 300 * time.Second
)

// ttlClosed drops endpoints that nobody has confirmed for so long: it would
// rather answer nothing than something old. Each bookmark and each list
// confirms all that was said before. What comes from disk was confirmed when it
// was saved; a seed needs no confirmation.
type ttlClosed struct{ ttl time.Duration }

func (p ttlClosed) Name() string { return fmt.Sprintf("ttl-closed-%ds", p.ttl/time.Second) }
func (p ttlClosed) About() string {
	return fmt.Sprintf("drop endpoints that were not confirmed for %v", p.ttl)
}
func (p ttlClosed) TTL() time.Duration { return p.ttl }
