package fault

import "context"

// endpointsNull writes the record that broke the routers of 2017
// (linkerd#1219).
var endpointsNull = Kind{
	Name:    "endpoints-null",
	About:   `a Service's record has "subsets": null, which some parsers throw on`,
	Targets: endpointsRecords,
	Inject: func(ctx context.Context, v Victims, target string, params map[string]string) (Active, error) {
		if err := onlyKnown(params); err != nil {
			return nil, err
		}
		return breakRecord(ctx, v, target, "null")
	},
}
