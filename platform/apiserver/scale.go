package apiserver

import (
	"encoding/json"
	"fmt"
	"net/http"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"breakbank/platform/registry"
)

// getScale answers with how many replicas a Deployment should have and has.
func (k *kindServer) getScale(w http.ResponseWriter, r *http.Request, req request) error {
	current, err := k.read(r.Context(), req.name)
	if err != nil {
		return err
	}
	scale, err := scaleOf(current)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, scale)
	return nil
}

func (k *kindServer) updateScale(w http.ResponseWriter, r *http.Request, req request, body []byte) error {
	return k.changeScale(w, r, req, func([]byte) ([]byte, error) { return body, nil })
}

func (k *kindServer) patchScale(w http.ResponseWriter, r *http.Request, req request, patch []byte) error {
	return k.changeScale(w, r, req, func(scale []byte) ([]byte, error) {
		return applyPatch(types.PatchType(mediaTypeOf(r)), scale, patch, new(autoscalingv1.Scale))
	})
}

// changeScale sets a Deployment's replicas to what change makes of its scale.
func (k *kindServer) changeScale(w http.ResponseWriter, r *http.Request, req request, change func(scale []byte) ([]byte, error)) error {
	obj, err := k.retry(r.Context(), req.name, func(current entry) (registry.Object, error) {
		scale, err := scaleOf(current)
		if err != nil {
			return nil, err
		}
		before, err := json.Marshal(scale)
		if err != nil {
			return nil, fmt.Errorf("encode the scale of %q: %w", req.name, err)
		}
		after, err := change(before)
		if err != nil {
			return nil, err
		}
		var wanted autoscalingv1.Scale
		if err := json.Unmarshal(after, &wanted); err != nil {
			return nil, apierrors.NewBadRequest(err.Error())
		}
		deployment, err := decodeDeployment(current)
		if err != nil {
			return nil, err
		}
		deployment.Spec.Replicas = &wanted.Spec.Replicas
		if wanted.ResourceVersion != "" {
			deployment.ResourceVersion = wanted.ResourceVersion
		}
		return deployment, nil
	})
	if err != nil {
		return err
	}
	stored, err := k.entryOf(obj)
	if err != nil {
		return err
	}
	scale, err := scaleOf(stored)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, scale)
	return nil
}

func decodeDeployment(e entry) (*appsv1.Deployment, error) {
	deployment := new(appsv1.Deployment)
	if err := json.Unmarshal(e.json, deployment); err != nil {
		return nil, fmt.Errorf("read deployment %q: %w", e.name, err)
	}
	return deployment, nil
}

func scaleOf(e entry) (autoscalingv1.Scale, error) {
	deployment, err := decodeDeployment(e)
	if err != nil {
		return autoscalingv1.Scale{}, err
	}
	scale := autoscalingv1.Scale{
		TypeMeta: metav1.TypeMeta{Kind: "Scale", APIVersion: "autoscaling/v1"},
		ObjectMeta: metav1.ObjectMeta{
			Name: deployment.Name, Namespace: deployment.Namespace, UID: deployment.UID,
			ResourceVersion: deployment.ResourceVersion, CreationTimestamp: deployment.CreationTimestamp,
		},
		Spec:   autoscalingv1.ScaleSpec{Replicas: 1}, // Kubernetes' default
		Status: autoscalingv1.ScaleStatus{Replicas: deployment.Status.Replicas},
	}
	if deployment.Spec.Replicas != nil {
		scale.Spec.Replicas = *deployment.Spec.Replicas
	}
	if deployment.Spec.Selector != nil {
		scale.Status.Selector = metav1.FormatLabelSelector(deployment.Spec.Selector)
	}
	return scale, nil
}
