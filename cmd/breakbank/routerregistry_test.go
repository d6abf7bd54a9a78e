package main

import (
	"context"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"breakbank/platform/apiserver"
	"breakbank/platform/ports"
	"breakbank/platform/registry"
)

// TestRouterFindsInstancesInARegistry: a real API server's and a real etcd's,
// and follows what they say.
func TestRouterFindsInstancesInARegistry(t *testing.T) {
	t.Parallel()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	free := ports.New()
	ctx, cancel := context.WithTimeout(t.Context(), endLimit)
	defer cancel()
	cluster, err := registry.StartCluster(ctx, registry.ClusterConfig{Dir: t.TempDir(), Members: 1, Address: free.Address})
	must(err)
	t.Cleanup(func() { must(cluster.Close()) })
	etcd, err := clientv3.New(clientv3.Config{Endpoints: cluster.ClientAddrs(), Logger: zap.NewNop()})
	must(err)
	t.Cleanup(func() { must(etcd.Close()) })
	l, err := free.Listen()
	must(err)
	server, err := apiserver.Start(context.Background(), apiserver.Config{
		Name: "apiserver", Listener: l, EtcdEndpoint: func(string) string { return cluster.ClientAddrs()[0] },
	})
	must(err)
	t.Cleanup(func() { must(server.Close()) })

	store := registry.NewStore(etcd)
	first, second := startInstance(t, "echo-1"), startInstance(t, "echo-2")
	must(store.Create(t.Context(), "endpoints", endpointsOf(t, "echo", first)))
	token := t.TempDir() + "/token"
	write(t, token, "whatever: nobody asks")
	for name, where := range map[string][]string{
		"kubernetes": {"--kube-api", "http://" + l.Addr().String()},
		// The same through a client that says who it is.
		"kubernetes with a token": {"--kube-api", "http://" + l.Addr().String(), "--kube-token-file", token, "--kube-namespace", "default"},
		"etcd":                    {"--etcd-endpoints", strings.Join(cluster.ClientAddrs(), ",")},
	} {
		t.Run(name, func(t *testing.T) {
			must(store.Update(t.Context(), "endpoints", endpointsOf(t, "echo", first)))
			snapshots := t.TempDir()
			s := startStandalone(t, append(where, "--snapshot-dir", snapshots)...)
			client := s.dial("echo")
			answeredBy := func() string {
				out, err := client.UnaryCall(t.Context(), &testpb.SimpleRequest{})
				if err != nil {
					t.Error(err)
				}
				return out.GetUsername()
			}
			eventually(t, endLimit, "the first instance answers", func() bool { return answeredBy() == "echo-1" })
			must(store.Update(t.Context(), "endpoints", endpointsOf(t, "echo", second)))
			eventually(t, endLimit, "the change arrives", func() bool { return answeredBy() == "echo-2" })
			eventually(t, endLimit, "the table is on disk", func() bool {
				files, err := os.ReadDir(snapshots)
				return err == nil && len(files) > 0
			})
		})
	}
}

func endpointsOf(t *testing.T, service string, i *instanceOf) *registry.Endpoints {
	t.Helper()
	host, digits, err := net.SplitHostPort(i.addr)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.ParseInt(digits, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return &registry.Endpoints{
		ObjectMeta: metav1.ObjectMeta{Name: service},
		Subsets: []corev1.EndpointSubset{{ //nolint:staticcheck // see registry.Endpoints
			Addresses: []corev1.EndpointAddress{{IP: host}},       //nolint:staticcheck // as above
			Ports:     []corev1.EndpointPort{{Port: int32(port)}}, //nolint:staticcheck // as above
		}},
	}
}
