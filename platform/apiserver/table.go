package apiserver

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/duration"

	"breakbank/platform/registry"
)

// columns are what kubectl prints of a kind between the name and the age.
type columns struct {
	resource string
	names    []string
	cells    func(registry.Object) []any
}

// columnTable has a row for each kind that shows more than name and age.
var columnTable = []columns{
	{"services", []string{"Selector"}, func(o registry.Object) []any {
		return []any{metav1.FormatLabelSelector(&metav1.LabelSelector{MatchLabels: o.(*corev1.Service).Spec.Selector})}
	}},
	{"endpoints", []string{"Endpoints"}, func(o registry.Object) []any {
		var addrs []string
		for _, subset := range o.(*registry.Endpoints).Subsets {
			addrs = append(addrs, subsetAddrs(subset)...)
		}
		return []any{orNone(addrs)}
	}},
	{"endpointslices", []string{"Endpoints"}, func(o registry.Object) []any {
		var addrs []string
		for _, endpoint := range o.(*discoveryv1.EndpointSlice).Endpoints {
			addrs = append(addrs, endpoint.Addresses...)
		}
		return []any{orNone(addrs)}
	}},
	{"configmaps", []string{"Data"}, func(o registry.Object) []any {
		return []any{len(o.(*corev1.ConfigMap).Data)}
	}},
	{"pods", []string{"Status", "Node"}, func(o registry.Object) []any {
		pod := o.(*corev1.Pod)
		return []any{string(pod.Status.Phase), pod.Spec.NodeName}
	}},
	{"deployments", []string{"Ready", "Up-to-date", "Available"}, func(o registry.Object) []any {
		status, wanted := o.(*appsv1.Deployment).Status, int32(1)
		if replicas := o.(*appsv1.Deployment).Spec.Replicas; replicas != nil {
			wanted = *replicas
		}
		return []any{fmt.Sprintf("%d/%d", status.ReadyReplicas, wanted), status.UpdatedReplicas, status.AvailableReplicas}
	}},
}

func subsetAddrs(subset corev1.EndpointSubset) []string { //nolint:staticcheck // see registry.Endpoints
	var addrs []string
	for _, address := range subset.Addresses {
		for _, port := range subset.Ports {
			addrs = append(addrs, address.IP+":"+strconv.Itoa(int(port.Port)))
		}
	}
	return addrs
}

func orNone(addrs []string) string {
	if len(addrs) == 0 {
		return "<none>"
	}
	return strings.Join(addrs, ",")
}

// wantsTable reports whether the client prefers a table to objects, as kubectl
// get does.
func wantsTable(r *http.Request) bool {
	first, _, _ := strings.Cut(r.Header.Get("Accept"), ",")
	_, params, err := mime.ParseMediaType(first)
	return err == nil && params["as"] == "Table" && params["v"] == "v1" && params["g"] == "meta.k8s.io"
}

// render answers with objects: as they are, or as a table if the client
// prefers that.
func (k *kindServer) render(w http.ResponseWriter, r *http.Request, code int, entries []entry, plain []byte, revision int64) error {
	if !wantsTable(r) {
		writeBody(w, code, plain)
		return nil
	}
	body, err := k.table(entries, revision)
	if err != nil {
		return err
	}
	writeBody(w, code, body)
	return nil
}

// table lays objects out as rows. An object that does not decode shows its
// name only: kubectl must be able to list what poisons others.
func (k *kindServer) table(entries []entry, revision int64) ([]byte, error) {
	extra := columns{cells: func(registry.Object) []any { return nil }}
	for _, c := range columnTable {
		if c.resource == k.kind.Resource {
			extra = c
		}
	}
	table := metav1.Table{
		TypeMeta: metav1.TypeMeta{Kind: "Table", APIVersion: "meta.k8s.io/v1"},
		ListMeta: metav1.ListMeta{ResourceVersion: formatRevision(revision)},
		Rows:     []metav1.TableRow{},
	}
	for _, name := range append(append([]string{"Name"}, extra.names...), "Age") {
		column := metav1.TableColumnDefinition{Name: name, Type: "string"}
		if name == "Name" {
			column.Format = "name"
		}
		table.ColumnDefinitions = append(table.ColumnDefinitions, column)
	}
	for _, e := range entries {
		row := metav1.TableRow{Cells: []any{e.name}, Object: runtime.RawExtension{Raw: e.json}}
		obj, err := registry.Decode(k.kind.Resource, e.json)
		if err != nil {
			for range len(extra.names) + 1 {
				row.Cells = append(row.Cells, "<malformed>")
			}
		} else {
			row.Cells = append(append(row.Cells, extra.cells(obj)...), age(obj))
		}
		table.Rows = append(table.Rows, row)
	}
	body, err := json.Marshal(table)
	if err != nil {
		return nil, fmt.Errorf("lay out %s: %w", k.kind.Resource, err)
	}
	return body, nil
}

func age(obj registry.Object) string {
	created := obj.GetCreationTimestamp()
	if created.IsZero() {
		return "<unknown>"
	}
	return duration.HumanDuration(time.Since(created.Time))
}
