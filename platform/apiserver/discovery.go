package apiserver

import (
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/version"

	"breakbank/platform/registry"
)

// What the discovery documents say can be done with a resource.
var (
	objectVerbs = metav1.Verbs{"create", "delete", "get", "list", "patch", "update", "watch"}
	partVerbs   = metav1.Verbs{"get", "patch", "update"}
	statusVerbs = metav1.Verbs{"patch", "update"}
)

// discoveryDocument returns the document under a path from which clients learn
// what there is, and false for other paths.
func discoveryDocument(path string) (any, bool) {
	path = strings.TrimSuffix(path, "/")
	switch path {
	case "/version":
		return version.Info{Major: "1", Minor: "37", GitVersion: "v1.37.0-breakbank"}, true
	case "/api":
		return metav1.APIVersions{TypeMeta: metav1.TypeMeta{Kind: "APIVersions"}, Versions: []string{"v1"}, ServerAddressByClientCIDRs: []metav1.ServerAddressByClientCIDR{}}, true
	case "/apis":
		list := metav1.APIGroupList{TypeMeta: metav1.TypeMeta{Kind: "APIGroupList", APIVersion: "v1"}}
		for _, kind := range groups() {
			list.Groups = append(list.Groups, groupDocument(kind))
		}
		return list, true
	}
	for _, kind := range append(groups(), registry.Kind{Version: "v1"}) {
		switch path {
		case groupPath(kind):
			return resourceList(kind), true
		case "/apis/" + kind.Group:
			group := groupDocument(kind)
			group.TypeMeta = metav1.TypeMeta{Kind: "APIGroup", APIVersion: "v1"}
			return group, true
		}
	}
	return nil, false
}

// groups returns one kind of each named API group.
func groups() []registry.Kind {
	var first []registry.Kind
	seen := map[string]bool{"": true}
	for _, kind := range registry.Kinds {
		if !seen[kind.Group] {
			seen[kind.Group] = true
			first = append(first, kind)
		}
	}
	return first
}

func groupPath(kind registry.Kind) string {
	if kind.Group == "" {
		return "/api/" + kind.Version
	}
	return "/apis/" + kind.APIVersion()
}

func groupDocument(kind registry.Kind) metav1.APIGroup {
	only := metav1.GroupVersionForDiscovery{GroupVersion: kind.APIVersion(), Version: kind.Version}
	return metav1.APIGroup{Name: kind.Group, Versions: []metav1.GroupVersionForDiscovery{only}, PreferredVersion: only}
}

// resourceList lists the resources of the group and version that a kind is of.
func resourceList(of registry.Kind) metav1.APIResourceList {
	list := metav1.APIResourceList{
		TypeMeta:     metav1.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"},
		GroupVersion: of.APIVersion(),
	}
	for _, kind := range registry.Kinds {
		if kind.APIVersion() != of.APIVersion() {
			continue
		}
		list.APIResources = append(list.APIResources, metav1.APIResource{
			Name: kind.Resource, SingularName: kind.Singular, ShortNames: kind.ShortNames,
			Namespaced: kind.Namespaced, Kind: kind.Kind, Verbs: objectVerbs, Categories: categories(kind),
		})
		if kind.HasStatus {
			list.APIResources = append(list.APIResources, metav1.APIResource{
				Name: kind.Resource + "/status", Namespaced: kind.Namespaced, Kind: kind.Kind, Verbs: statusVerbs,
			})
		}
		if kind.HasScale {
			list.APIResources = append(list.APIResources, metav1.APIResource{
				Name: kind.Resource + "/scale", Namespaced: kind.Namespaced, Group: "autoscaling", Version: "v1", Kind: "Scale", Verbs: partVerbs,
			})
		}
	}
	return list
}

// categories are the names under which kubectl groups resources: "kubectl get
// all".
func categories(kind registry.Kind) []string {
	switch kind.Resource {
	case "services", "pods", "deployments":
		return []string{"all"}
	}
	return nil
}
