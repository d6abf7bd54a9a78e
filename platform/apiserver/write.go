package apiserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"breakbank/platform/deploy"
	"breakbank/platform/registry"
)

func (k *kindServer) create(w http.ResponseWriter, r *http.Request, req request) error {
	body, err := readJSON(r)
	if err != nil {
		return err
	}
	obj, err := k.decode(body, req)
	if err != nil {
		return err
	}
	if obj.GetName() == "" && obj.GetGenerateName() != "" {
		obj.SetName(obj.GetGenerateName() + rand.String(5))
	}
	req.name = obj.GetName()
	if err := k.validate(obj); err != nil {
		return err
	}
	if err := k.store.Create(r.Context(), k.kind.Resource, obj); err != nil {
		return named(err, req)
	}
	return k.writeObject(w, http.StatusCreated, obj)
}

// update replaces the object, or the part of it that is the subresource.
func (k *kindServer) update(w http.ResponseWriter, r *http.Request, req request) error {
	body, err := readJSON(r)
	if err != nil {
		return err
	}
	if req.subresource == "scale" {
		return k.updateScale(w, r, req, body)
	}
	obj, err := k.decode(body, req)
	if err != nil {
		return err
	}
	if obj.GetName() != req.name {
		return apierrors.NewBadRequest(fmt.Sprintf("the name of the object (%s) does not match the name on the URL (%s)", obj.GetName(), req.name))
	}
	if err := k.validate(obj); err != nil {
		return err
	}
	if k.kind.HasStatus {
		current, err := k.read(r.Context(), req.name)
		if err != nil {
			return err
		}
		if obj, err = k.merge(current, body, obj.GetResourceVersion(), req.subresource); err != nil {
			return err
		}
	}
	if err := k.store.Update(r.Context(), k.kind.Resource, obj); err != nil {
		return err
	}
	return k.writeObject(w, http.StatusOK, obj)
}

// merge returns what an update makes of the current object. The status
// subresource changes nothing but the status, an update of the object
// everything but that. It carries the current version, so that a change in
// between is noticed, or the one that the client insists on.
func (k *kindServer) merge(current entry, body []byte, version, subresource string) (registry.Object, error) {
	var was, sent map[string]json.RawMessage
	if err := json.Unmarshal(current.json, &was); err != nil {
		return nil, fmt.Errorf("read stored object %q: %w", current.name, err)
	}
	if err := json.Unmarshal(body, &sent); err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	to, from := sent, was
	if subresource == "status" {
		to, from = was, sent
	}
	delete(to, "status")
	if status, ok := from["status"]; ok {
		to["status"] = status
	}
	merged, err := json.Marshal(to)
	if err != nil {
		return nil, fmt.Errorf("merge %q: %w", current.name, err)
	}
	obj, err := registry.Decode(k.kind.Resource, merged)
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	if version == "" {
		version = formatRevision(current.revision)
	}
	obj.SetResourceVersion(version)
	return obj, nil
}

func (k *kindServer) remove(w http.ResponseWriter, r *http.Request, req request) error {
	body, err := readBody(r)
	if err != nil {
		return err
	}
	var opts metav1.DeleteOptions
	if len(body) > 0 {
		if err := json.Unmarshal(body, &opts); err != nil {
			return apierrors.NewBadRequest(err.Error())
		}
	}
	current, err := k.read(r.Context(), req.name)
	if err != nil {
		return err
	}
	obj, err := registry.Decode(k.kind.Resource, current.json)
	if err != nil {
		return err
	}
	if p := opts.Preconditions; p != nil {
		if p.UID != nil && *p.UID != obj.GetUID() || p.ResourceVersion != nil && *p.ResourceVersion != obj.GetResourceVersion() {
			return registry.ErrConflict
		}
	}
	if err := k.store.Delete(r.Context(), k.kind.Resource, req.name); err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, withTypeMeta(metav1.Status{
		Status: metav1.StatusSuccess,
		Details: &metav1.StatusDetails{
			Name: req.name, Group: k.kind.Group, Kind: k.kind.Resource, UID: obj.GetUID(),
		},
	}))
	return nil
}

// decode reads an object of the kind that a client has sent.
func (k *kindServer) decode(body []byte, req request) (registry.Object, error) {
	obj, err := registry.Decode(k.kind.Resource, body)
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	gvk := obj.GetObjectKind().GroupVersionKind()
	if want := (schema.GroupVersionKind{Group: k.kind.Group, Version: k.kind.Version, Kind: k.kind.Kind}); !gvk.Empty() && gvk != want {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("the object is a %s, expected a %s", gvk, want))
	}
	if namespace := obj.GetNamespace(); namespace != "" && namespace != req.namespace {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("the namespace of the object (%s) does not match the namespace on the URL (%s)", namespace, req.namespace))
	}
	return obj, nil
}

func (k *kindServer) validate(obj registry.Object) error {
	var wrong field.ErrorList
	name := field.NewPath("metadata", "name")
	if obj.GetName() == "" {
		wrong = append(wrong, field.Required(name, "name or generateName is required"))
	} else {
		for _, why := range validation.NameIsDNSSubdomain(obj.GetName(), false) {
			wrong = append(wrong, field.Invalid(name, obj.GetName(), why))
		}
	}
	if d, ok := obj.(*appsv1.Deployment); ok {
		wrong = append(wrong, deploy.Check(d)...)
	}
	if len(wrong) == 0 {
		return nil
	}
	return apierrors.NewInvalid(schema.GroupKind{Group: k.kind.Group, Kind: k.kind.Kind}, obj.GetName(), wrong)
}

// writeObject answers with an object just stored.
func (k *kindServer) writeObject(w http.ResponseWriter, code int, obj registry.Object) error {
	e, err := k.entryOf(obj)
	if err != nil {
		return err
	}
	writeBody(w, code, e.json)
	return nil
}

// entryOf returns an object that has a version as it is served.
func (k *kindServer) entryOf(obj registry.Object) (entry, error) {
	stored, err := registry.Encode(obj)
	if err != nil {
		return entry{}, err
	}
	revision, err := parseRevision(obj.GetResourceVersion())
	if err != nil {
		return entry{}, err
	}
	return newEntry(registry.Raw{Name: obj.GetName(), Revision: revision, JSON: stored})
}

// named gives an error about a created object the name that its URL lacks.
func named(err error, req request) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return &apierrors.StatusError{ErrStatus: statusOf(err, req)}
}

// readJSON reads a request's body, which must say that it is JSON.
func readJSON(r *http.Request) ([]byte, error) {
	if mediaType := mediaTypeOf(r); mediaType != "" && mediaType != "application/json" {
		return nil, unsupportedMediaType(mediaType)
	}
	return readBody(r)
}

// readBody returns what takeBody has taken.
func readBody(r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, fmt.Errorf("read the body: %w", err)
	}
	return body, nil
}

func mediaTypeOf(r *http.Request) string {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return strings.TrimSpace(r.Header.Get("Content-Type"))
	}
	return mediaType
}
