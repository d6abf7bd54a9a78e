package cluster

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"breakbank/platform/deploy"
	"breakbank/platform/node"
	"breakbank/platform/registry"
)

// servicePort is the port that Services show; instances listen where they
// can, and their endpoints carry the real port.
const servicePort = 80

// bootstrapWriters write at once; each write waits for a quorum's disks.
const bootstrapWriters = 16

// bootstrap writes the objects that a platform starts from: the routers'
// configuration, the nodes, the bank's Services and Deployments, and the
// background Services. It writes them once in the life of a registry: what an
// operator deletes later stays deleted.
func bootstrap(ctx context.Context, store *registry.Store, t Topology) error {
	_, err := store.GetRaw(ctx, "configmaps", node.RouterConfigMap, registry.ReadOptions{})
	if !errors.Is(err, registry.ErrNotFound) {
		return err // It is all there already, or nobody can tell.
	}
	for _, n := range t.Nodes {
		object := &corev1.Node{ObjectMeta: metav1.ObjectMeta{
			Name:   n.Name,
			Labels: map[string]string{corev1.LabelTopologyZone: n.Zone},
		}}
		if err := create(ctx, store, "nodes", object); err != nil {
			return fmt.Errorf("write node %s: %w", n.Name, err)
		}
	}
	parent := ctx
	writing, ctx := errgroup.WithContext(ctx)
	writing.SetLimit(bootstrapWriters)
	for i := range t.BackgroundServices {
		writing.Go(func() error { return writeBackgroundService(ctx, store, i) })
	}
	for _, s := range t.Services {
		if s.Later {
			continue
		}
		writing.Go(func() error {
			if err := create(ctx, store, "services", service(s.Name)); err != nil {
				return fmt.Errorf("write service %s: %w", s.Name, err)
			}
			if err := create(ctx, store, "deployments", deployment(s)); err != nil {
				return fmt.Errorf("write deployment %s: %w", s.Name, err)
			}
			return nil
		})
	}
	if err := writing.Wait(); err != nil {
		return err
	}
	return writeRouterConfig(parent, store, t)
}

// writeRouterConfig comes last: that it is there says that everything is.
func writeRouterConfig(ctx context.Context, store *registry.Store, t Topology) error {
	config := &corev1.ConfigMap{
		ObjectMeta: meta(node.RouterConfigMap),
		Data:       map[string]string{node.RouterConfigKey: t.Router},
	}
	if err := create(ctx, store, "configmaps", config); err != nil {
		return fmt.Errorf("write the routers' configuration: %w", err)
	}
	return nil
}

// create writes an object, unless one of its name is there: an earlier
// bootstrap ended half way.
func create(ctx context.Context, store *registry.Store, resource string, object registry.Object) error {
	if err := store.Create(ctx, resource, object); !errors.Is(err, registry.ErrExists) {
		return err
	}
	return nil
}

func service(name string) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: meta(name),
		Spec: corev1.ServiceSpec{
			Selector:  map[string]string{deploy.LabelApp: name},
			ClusterIP: corev1.ClusterIPNone,
			Ports:     []corev1.ServicePort{{Name: "grpc", Port: servicePort, TargetPort: intstr.FromString("grpc")}},
		},
	}
}

func deployment(s ServiceSpec) *appsv1.Deployment {
	replicas := int32(len(s.Nodes))
	labels := map[string]string{deploy.LabelApp: s.Name}
	return &appsv1.Deployment{
		ObjectMeta: meta(s.Name),
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas,
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{
					Labels: labels,
					Annotations: map[string]string{
						deploy.AnnotationVersion: s.Version,
						deploy.AnnotationNodes:   strings.Join(s.Nodes, ","),
					},
				},
				Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: s.Name}}},
			},
		},
	}
}

// writeBackgroundService writes a Service without selector and its static
// Endpoints, from a range that is never listened on (RFC 5737).
func writeBackgroundService(ctx context.Context, store *registry.Store, i int) error {
	name := fmt.Sprintf("background-%03d", i)
	s := service(name)
	s.Spec.Selector = nil
	if err := create(ctx, store, "services", s); err != nil {
		return fmt.Errorf("write service %s: %w", name, err)
	}
	subset := corev1.EndpointSubset{Ports: []corev1.EndpointPort{{Name: "grpc", Port: servicePort}}}
	for replica := range 3 {
		subset.Addresses = append(subset.Addresses, corev1.EndpointAddress{
			IP: fmt.Sprintf("192.0.2.%d", (3*i+replica)%254+1),
		})
	}
	endpoints := &corev1.Endpoints{ObjectMeta: meta(name), Subsets: []corev1.EndpointSubset{subset}}
	if err := create(ctx, store, "endpoints", endpoints); err != nil {
		return fmt.Errorf("write endpoints of %s: %w", name, err)
	}
	return nil
}

func meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, Namespace: registry.Namespace}
}
