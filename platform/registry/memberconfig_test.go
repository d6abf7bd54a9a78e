package registry

import (
	"context"
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/config"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
)

// startEmbedded starts a member as etcd's package embed does, with what is set
// here on purpose.
func startEmbedded(t *testing.T, c MemberConfig) *embed.Etcd {
	t.Helper()
	shrinkWAL()
	at := func(addr string) []url.URL { return []url.URL{{Scheme: "http", Host: addr}} }
	cfg := embed.NewConfig()
	cfg.Name, cfg.Dir = c.Seat.Name, c.Dir
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = at(c.Seat.ClientAddr), at(c.Seat.ClientAddr)
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = at(c.Seat.PeerAddr), at(c.Seat.PeerAddr)
	cfg.InitialCluster = InitialCluster(c.Seat)
	cfg.TickMs, cfg.ElectionMs = heartbeatMs, electionMs
	cfg.QuotaBackendBytes = quotaBytes
	cfg.SnapshotCount, cfg.SnapshotCatchUpEntries = snapshotEntries, snapshotEntries
	cfg.AutoCompactionMode, cfg.AutoCompactionRetention = embed.CompactorModeRevision, fmt.Sprint(keptRevisions)
	cfg.StrictReconfigCheck = false
	cfg.UnsafeNoFsync = true
	cfg.EnableGRPCGateway = false
	cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	e, err := embed.StartEtcd(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// A member is set as etcd itself sets one, but for what it does not have, and
// starts on the data that such a one has left. This fails when a newer etcd has
// other defaults, or more of them.
func TestMemberIsSetAsEtcdsOwn(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cfg := newMemberConfig(t, 0)
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{cfg.Seat.ClientAddr}, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	theirs := startEmbedded(t, cfg)
	first := theirs.Server.Cfg
	_, err = client.Put(ctx, "account", "7")
	theirs.Server.HardStop()
	theirs.Close()
	if err != nil {
		t.Fatal(err)
	}

	ours, err := cfg.server(InitialCluster(cfg.Seat), StateNew, false)
	if err != nil {
		t.Fatal(err)
	}
	compareSettings(t, ours, first)

	m := NewMember(cfg)
	if err := m.Start(ctx, InitialCluster(cfg.Seat), StateNew); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := m.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	got, err := client.Get(ctx, "account")
	if err != nil || len(got.Kvs) != 1 || string(got.Kvs[0].Value) != "7" {
		t.Errorf("on the data of another: %v, %v", got, err)
	}
	if m.server().Server.MemberID() != theirs.Server.MemberID() {
		t.Error("on the data of another, it is not that member")
	}
}

func compareSettings(t *testing.T, ours, theirs config.ServerConfig) {
	t.Helper()
	elsewhere := map[string]string{
		"Logger":        "the test's",
		"CORS":          "HTTP for clients",
		"HostWhitelist": "HTTP for clients",
		"DiscoveryCfg":  "members are listed",
		"PeerTLSInfo":   "no TLS",
	}
	a, b := reflect.ValueOf(ours), reflect.ValueOf(theirs)
	for i := range a.NumField() {
		field := a.Type().Field(i).Name
		if _, ok := elsewhere[field]; ok {
			continue
		}
		// Features are pointers of their own, which print as what they hold.
		if x, y := fmt.Sprint(a.Field(i)), fmt.Sprint(b.Field(i)); x != y {
			t.Errorf("%s is %s, etcd's own %s", field, x, y)
		}
	}
}

func TestAddressesToListenAt(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ addr, bindHost, want string }{
		{"127.0.0.1:1", "", "127.0.0.1:1"},
		{"[::1]:1", "", "[::1]:1"},
		{"localhost:1", "", "localhost:1"},
		{"etcd-a.bank:1", "0.0.0.0", "0.0.0.0:1"},
		{"etcd-a.bank:1", "::", "[::]:1"},
		{"etcd-a.bank:1", "", "no IP address"},
		{"127.0.0.1:1", "etcd-a.bank", "no IP address"},
		{":1", "0.0.0.0", "no host"},
		{"127.0.0.1", "", "missing port"},
	} {
		got, err := MemberConfig{BindHost: test.bindHost}.bindAddr(test.addr)
		if err != nil {
			got = err.Error()
		}
		if got != test.want && (err == nil || !strings.Contains(got, test.want)) {
			t.Errorf("%s, bound to %q: %s, want %s", test.addr, test.bindHost, got, test.want)
		}
	}
}
