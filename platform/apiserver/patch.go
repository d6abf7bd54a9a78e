package apiserver

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"breakbank/platform/apiserver/strategic"
	"breakbank/platform/registry"
)

// patchAttempts is how often a patch is applied anew when the object changes
// under it.
const patchAttempts = 5

// patch applies a merge, strategic merge or JSON patch to the object or to its
// subresource.
func (k *kindServer) patch(w http.ResponseWriter, r *http.Request, req request) error {
	body, err := readBody(r)
	if err != nil {
		return err
	}
	if req.subresource == "scale" {
		return k.patchScale(w, r, req, body)
	}
	obj, err := k.retry(r.Context(), req.name, func(current entry) (registry.Object, error) {
		patched, err := applyPatch(types.PatchType(mediaTypeOf(r)), current.json, body, k.kind.New())
		if err != nil {
			return nil, err
		}
		obj, err := k.decode(patched, req)
		if err != nil {
			return nil, err
		}
		if obj.GetName() != req.name {
			return nil, apierrors.NewBadRequest("a patch cannot rename an object")
		}
		if !k.kind.HasStatus {
			return obj, nil
		}
		return k.merge(current, patched, obj.GetResourceVersion(), req.subresource)
	})
	if err != nil {
		return err
	}
	return k.writeObject(w, http.StatusOK, obj)
}

// retry reads an object, changes it and writes it back, again when somebody
// else has written meanwhile. A change that insists on another version than
// the current one is refused.
func (k *kindServer) retry(ctx context.Context, name string, change func(entry) (registry.Object, error)) (registry.Object, error) {
	var err error
	for range patchAttempts {
		var current entry
		if current, err = k.read(ctx, name); err != nil {
			return nil, err
		}
		var obj registry.Object
		if obj, err = change(current); err != nil {
			return nil, err
		}
		if err = k.validate(obj); err != nil {
			return nil, err
		}
		if version := obj.GetResourceVersion(); version != formatRevision(current.revision) {
			return nil, fmt.Errorf("version %s, now at %d: %w", version, current.revision, registry.ErrConflict)
		}
		if err = k.store.Update(ctx, k.kind.Resource, obj); !errors.Is(err, registry.ErrConflict) {
			return obj, err
		}
	}
	return nil, err
}

func applyPatch(kind types.PatchType, current, patch []byte, schema any) ([]byte, error) {
	var patched []byte
	var err error
	switch kind {
	case types.MergePatchType:
		patched, err = jsonpatch.MergePatch(current, patch)
	case types.StrategicMergePatchType:
		patched, err = strategic.Merge(current, patch, schema)
	case types.JSONPatchType:
		var operations jsonpatch.Patch
		if operations, err = jsonpatch.DecodePatch(patch); err == nil {
			patched, err = operations.Apply(current)
		}
	default:
		return nil, unsupportedMediaType(string(kind))
	}
	if err != nil {
		return nil, apierrors.NewBadRequest("apply the patch: " + err.Error())
	}
	return patched, nil
}
