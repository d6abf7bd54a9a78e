package deploy

import (
	"encoding/json"
	"fmt"

	discoveryv1 "k8s.io/api/discovery/v1"

	"breakbank/platform/registry"
)

// contentOf is what a record says, without what the registry adds to it: two
// records of the same content need not be written one after the other.
func contentOf(record registry.Object) string {
	var says any
	switch r := record.(type) {
	case *registry.Endpoints:
		says = r.Subsets
	case *discoveryv1.EndpointSlice:
		says = []any{r.Ports, r.Endpoints}
	default:
		panic(fmt.Sprintf("%T is no record of endpoints", record))
	}
	content, err := json.Marshal(says)
	if err != nil {
		panic(fmt.Sprintf("content of %s: %v", record.GetName(), err)) // Plain data: cannot be.
	}
	return string(content)
}

// serviceOf is the name of the Service that a record belongs to; empty for a
// slice that is not ours.
func serviceOf(record registry.Object) string {
	slice, ok := record.(*discoveryv1.EndpointSlice)
	if !ok {
		return record.GetName()
	}
	if slice.Labels[discoveryv1.LabelManagedBy] != managedBy {
		return ""
	}
	return slice.Labels[discoveryv1.LabelServiceName]
}
