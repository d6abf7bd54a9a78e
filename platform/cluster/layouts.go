package cluster

import (
	"fmt"

	"breakbank/platform/router"
)

// discoveryOracle is how routers are told what instances really serve.
const discoveryOracle = "oracle"

// MayRun refuses, in one line, routers that a layout cannot have: their
// configuration, YAML, says how services find each other.
func MayRun(layout, routerConfig string) error {
	if layout == "" || layout == LayoutSingle {
		return nil
	}
	config, err := router.ParseConfig([]byte(routerConfig))
	switch {
	case err != nil:
		return err
	case config.DataPlane == router.DataPlaneClientSide:
		return fmt.Errorf("layout %s: services with a data plane of their own (%s) run in layout %s only", layout, router.DataPlaneClientSide, LayoutSingle)
	case config.Discovery == discoveryOracle:
		return fmt.Errorf("layout %s: nobody there knows the truth that discovery %q tells; it runs in layout %s only", layout, discoveryOracle, LayoutSingle)
	case config.Discovery == discoveryDNS && layout == LayoutContainers:
		return fmt.Errorf("layout %s: its endpoints are names, for which name servers have no addresses; discovery %q runs in layouts %s and %s", layout, discoveryDNS, LayoutSingle, LayoutProcesses)
	}
	return nil
}
