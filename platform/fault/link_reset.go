package fault

import (
	"context"
	"fmt"
)

var linkReset = Kind{
	Name:    "link-reset",
	About:   "the connections established now are reset (RST) at both ends; new ones work",
	Targets: linkNames,
	Inject: func(ctx context.Context, v Victims, target string, params map[string]string) (Active, error) {
		link, err := linkOf(v, target)
		if err != nil {
			return nil, err
		}
		if err := onlyKnown(params); err != nil {
			return nil, err
		}
		broken, err := link.Reset(ctx)
		if err != nil {
			return nil, err
		}
		if broken == 0 {
			return nil, fmt.Errorf("no connection is established through %s", target)
		}
		return selfHealing{Proof{Count: int64(broken), Evidence: fmt.Sprintf("%d connections reset at both ends", broken)}}, nil
	},
}
