package fault

import "context"

var endpointsEmpty = Kind{
	Name:    "endpoints-empty",
	About:   "a Service's record says that it has no endpoints, although its instances answer",
	Targets: endpointsRecords,
	Inject: func(ctx context.Context, v Victims, target string, params map[string]string) (Active, error) {
		if err := onlyKnown(params); err != nil {
			return nil, err
		}
		return breakRecord(ctx, v, target, "[]")
	},
}
