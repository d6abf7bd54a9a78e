package informer

import (
	"context"
	"fmt"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"breakbank/platform/registry"
)

// endpointsList is as deprecated as Endpoints are, and read for as long.
type endpointsList = corev1.EndpointsList //nolint:staticcheck // see above

// Shared makes client-go's shared informer of the Endpoints of our namespace,
// just as client-go's informer factory does over its clientset: the same REST
// client with the same limits and headers, the same reflector, index and
// semantics of lists and watches. Those two packages bring every kind that
// Kubernetes has, half of this program's size; this knows the one kind.
//
// It is not started. Requests go through client; nil is one made from the
// config.
func Shared(config rest.Config, client *http.Client) (cache.SharedIndexInformer, error) {
	scheme := runtime.NewScheme()
	scheme.AddKnownTypes(corev1.SchemeGroupVersion, &registry.Endpoints{}, &endpointsList{})
	metav1.AddToGroupVersion(scheme, corev1.SchemeGroupVersion)
	config.GroupVersion = &corev1.SchemeGroupVersion
	config.APIPath = "/api"
	config.NegotiatedSerializer = rest.CodecFactoryForGeneratedClient(scheme, serializer.NewCodecFactory(scheme)).WithoutConversion()
	if config.UserAgent == "" {
		config.UserAgent = rest.DefaultKubernetesUserAgent()
	}
	if client == nil {
		var err error
		if client, err = rest.HTTPClientFor(&config); err != nil {
			return nil, fmt.Errorf("client-go: %w", err)
		}
	}
	api, err := rest.RESTClientForConfigAndClient(&config, client)
	if err != nil {
		return nil, fmt.Errorf("client-go: %w", err)
	}
	asks := requests{api, runtime.NewParameterCodec(scheme)}
	return cache.NewSharedIndexInformerWithOptions(
		cache.ToListWatcherWithWatchListSemantics(&cache.ListWatch{
			ListWithContextFunc:  asks.list,
			WatchFuncWithContext: asks.watch,
		}, api),
		&registry.Endpoints{},
		cache.SharedIndexInformerOptions{Indexers: cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc}},
	), nil
}

// requests are a clientset's for Endpoints.
type requests struct {
	api        *rest.RESTClient
	parameters runtime.ParameterCodec
}

func (r requests) list(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
	list := &endpointsList{}
	return list, r.about(o).Do(ctx).Into(list)
}

func (r requests) watch(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
	o.Watch = true
	return r.about(o).Watch(ctx)
}

func (r requests) about(o metav1.ListOptions) *rest.Request {
	get := r.api.Get().UseProtobufAsDefault().Namespace(registry.Namespace).Resource("endpoints").VersionedParams(&o, r.parameters)
	if o.TimeoutSeconds != nil {
		get = get.Timeout(time.Duration(*o.TimeoutSeconds) * time.Second)
	}
	return get
}
