package registry

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/uuid"
)

// What can be wrong with a request to the Store, apart from etcd failing.
var (
	ErrNotFound        = errors.New("not found")
	ErrExists          = errors.New("already exists")
	ErrConflict        = errors.New("changed since it was read")
	ErrUnknownResource = errors.New("unknown resource")
)

// ReadOptions says how a list is read.
type ReadOptions struct {
	// Serializable reads from whichever member answers, without asking the
	// others: it works when the quorum is lost, and may be old.
	Serializable bool
	// Revision reads the state as of that revision; 0 means now. One that has
	// been compacted away fails with rpctypes.ErrCompacted.
	Revision int64
}

// Store reads and writes typed objects through one etcd client. It holds no
// state of its own and is safe for concurrent use. Every call lasts until etcd
// answers or its context ends.
type Store struct {
	etcd *clientv3.Client
}

// NewStore returns a Store over a client that stays the caller's to close.
func NewStore(etcd *clientv3.Client) *Store { return &Store{etcd: etcd} }

// Get reads one object, linearizably, and sets its ResourceVersion. It returns
// ErrNotFound when there is none of that name.
func (s *Store) Get(ctx context.Context, resource, name string, into Object) error {
	raw, err := s.GetRaw(ctx, resource, name, ReadOptions{})
	if err != nil {
		return err
	}
	return raw.decodeInto(into)
}

// GetRaw reads one object as it is stored. It returns ErrNotFound when there
// is none of that name.
func (s *Store) GetRaw(ctx context.Context, resource, name string, opts ReadOptions) (Raw, error) {
	kind, ok := KindOf(resource)
	if !ok {
		return Raw{}, fmt.Errorf("get: %w %q", ErrUnknownResource, resource)
	}
	resp, err := s.etcd.Get(ctx, kind.key(name), opts.etcdOptions()...)
	if err != nil {
		return Raw{}, fmt.Errorf("get %s %q: %w", resource, name, err)
	}
	if len(resp.Kvs) == 0 {
		return Raw{}, fmt.Errorf("get %s %q: %w", resource, name, ErrNotFound)
	}
	return Raw{Name: name, Revision: resp.Kvs[0].ModRevision, JSON: resp.Kvs[0].Value}, nil
}

// ListRaw reads all objects of a resource, by name, and the revision of the
// registry at which they were read.
func (s *Store) ListRaw(ctx context.Context, resource string, opts ReadOptions) ([]Raw, int64, error) {
	kind, ok := KindOf(resource)
	if !ok {
		return nil, 0, fmt.Errorf("list: %w %q", ErrUnknownResource, resource)
	}
	resp, err := s.etcd.Get(ctx, kind.prefix(), append(opts.etcdOptions(), clientv3.WithPrefix())...)
	if err != nil {
		return nil, 0, fmt.Errorf("list %s: %w", resource, err)
	}
	raws := make([]Raw, 0, len(resp.Kvs))
	for _, kv := range resp.Kvs {
		name := strings.TrimPrefix(string(kv.Key), kind.prefix())
		raws = append(raws, Raw{Name: name, Revision: kv.ModRevision, JSON: kv.Value})
	}
	revision := resp.Header.Revision
	if opts.Revision != 0 {
		revision = opts.Revision
	}
	return raws, revision, nil
}

func (o ReadOptions) etcdOptions() []clientv3.OpOption {
	var opts []clientv3.OpOption
	if o.Serializable {
		opts = append(opts, clientv3.WithSerializable())
	}
	if o.Revision != 0 {
		opts = append(opts, clientv3.WithRev(o.Revision))
	}
	return opts
}

// Create stores a new object and sets its ResourceVersion, and its namespace,
// UID and time of creation where they are empty. It returns ErrExists when the
// name is taken.
func (s *Store) Create(ctx context.Context, resource string, obj Object) error {
	kind, ok := KindOf(resource)
	if !ok {
		return fmt.Errorf("create: %w %q", ErrUnknownResource, resource)
	}
	if !kind.Is(obj) {
		return fmt.Errorf("create %s %q: a %T is no %s", resource, obj.GetName(), obj, kind.Kind)
	}
	if kind.Namespaced {
		obj.SetNamespace(Namespace)
	}
	if obj.GetUID() == "" {
		obj.SetUID(uuid.NewUUID())
	}
	if created := obj.GetCreationTimestamp(); created.IsZero() {
		obj.SetCreationTimestamp(metav1.Now())
	}
	stored, err := Encode(obj)
	if err != nil {
		return fmt.Errorf("create: %w", err)
	}
	key := kind.key(obj.GetName())
	resp, err := s.etcd.Txn(ctx).
		If(clientv3.Compare(clientv3.CreateRevision(key), "=", 0)).
		Then(clientv3.OpPut(key, string(stored))).
		Commit()
	if err != nil {
		return fmt.Errorf("create %s %q: %w", resource, obj.GetName(), err)
	}
	if !resp.Succeeded {
		return fmt.Errorf("create %s %q: %w", resource, obj.GetName(), ErrExists)
	}
	obj.SetResourceVersion(strconv.FormatInt(resp.Header.Revision, 10))
	return nil
}

// Update replaces an object that exists and sets its ResourceVersion. It
// returns ErrNotFound when there is none, and ErrConflict when the object
// carries a ResourceVersion and has been changed since.
func (s *Store) Update(ctx context.Context, resource string, obj Object) error {
	kind, ok := KindOf(resource)
	if !ok {
		return fmt.Errorf("update: %w %q", ErrUnknownResource, resource)
	}
	if !kind.Is(obj) {
		return fmt.Errorf("update %s %q: a %T is no %s", resource, obj.GetName(), obj, kind.Kind)
	}
	if kind.Namespaced {
		obj.SetNamespace(Namespace)
	}
	stored, err := Encode(obj)
	if err != nil {
		return fmt.Errorf("update: %w", err)
	}
	key := kind.key(obj.GetName())
	unchanged := clientv3.Compare(clientv3.ModRevision(key), ">", 0)
	if version := obj.GetResourceVersion(); version != "" {
		revision, err := strconv.ParseInt(version, 10, 64)
		if err != nil {
			return fmt.Errorf("update %s %q: resourceVersion %q is no revision", resource, obj.GetName(), version)
		}
		unchanged = clientv3.Compare(clientv3.ModRevision(key), "=", revision)
	}
	resp, err := s.etcd.Txn(ctx).
		If(unchanged).
		Then(clientv3.OpPut(key, string(stored))).
		Else(clientv3.OpGet(key, clientv3.WithKeysOnly())).
		Commit()
	if err != nil {
		return fmt.Errorf("update %s %q: %w", resource, obj.GetName(), err)
	}
	if !resp.Succeeded {
		if len(resp.Responses[0].GetResponseRange().GetKvs()) == 0 {
			return fmt.Errorf("update %s %q: %w", resource, obj.GetName(), ErrNotFound)
		}
		return fmt.Errorf("update %s %q: %w", resource, obj.GetName(), ErrConflict)
	}
	obj.SetResourceVersion(strconv.FormatInt(resp.Header.Revision, 10))
	return nil
}

// PutRaw stores bytes as an object without looking at them, whether or not
// there was one before: how a fault writes a record that no encoder would.
func (s *Store) PutRaw(ctx context.Context, resource, name string, stored []byte) (int64, error) {
	kind, ok := KindOf(resource)
	if !ok {
		return 0, fmt.Errorf("put: %w %q", ErrUnknownResource, resource)
	}
	resp, err := s.etcd.Put(ctx, kind.key(name), string(stored))
	if err != nil {
		return 0, fmt.Errorf("put %s %q: %w", resource, name, err)
	}
	return resp.Header.Revision, nil
}

// Delete removes an object; ErrNotFound when there is none. With a Service go
// its Endpoints and its EndpointSlice, which bear the Service's name, in the
// same transaction: no reader ever sees the one without the others.
func (s *Store) Delete(ctx context.Context, resource, name string) error {
	kind, ok := KindOf(resource)
	if !ok {
		return fmt.Errorf("delete: %w %q", ErrUnknownResource, resource)
	}
	key := kind.key(name)
	deletes := []clientv3.Op{clientv3.OpDelete(key)}
	if resource == "services" {
		for _, dependent := range []string{"endpoints", "endpointslices"} {
			if kind, ok := KindOf(dependent); ok {
				deletes = append(deletes, clientv3.OpDelete(kind.key(name)))
			}
		}
	}
	resp, err := s.etcd.Txn(ctx).
		If(clientv3.Compare(clientv3.ModRevision(key), ">", 0)).
		Then(deletes...).
		Commit()
	if err != nil {
		return fmt.Errorf("delete %s %q: %w", resource, name, err)
	}
	if !resp.Succeeded {
		return fmt.Errorf("delete %s %q: %w", resource, name, ErrNotFound)
	}
	return nil
}

// Decode returns the typed object with its ResourceVersion set.
func (r Raw) Decode(resource string) (Object, error) {
	obj, err := Decode(resource, r.JSON)
	if err != nil {
		return nil, err
	}
	obj.SetResourceVersion(strconv.FormatInt(r.Revision, 10))
	return obj, nil
}
