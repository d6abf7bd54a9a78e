package deploy

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// ReplicasMax bounds the instances of one service: each may be a process, on a
// machine that has thirty already.
const ReplicasMax = 100

// Check says what of a Deployment cannot be rolled out, whoever wrote it. One
// without a version is only incomplete: nothing is rolled out of it.
func Check(d *appsv1.Deployment) field.ErrorList {
	var wrong field.ErrorList
	if d.Spec.Replicas != nil {
		if why := CheckReplicas(*d.Spec.Replicas); why != "" {
			wrong = append(wrong, field.Invalid(field.NewPath("spec", "replicas"), *d.Spec.Replicas, why))
		}
	}
	if version := versionOf(d); version != "" {
		if why := CheckVersion(version); why != "" {
			at := field.NewPath("spec", "template", "metadata", "annotations").Key(AnnotationVersion)
			wrong = append(wrong, field.Invalid(at, version, why))
		}
	}
	return wrong
}

// CheckReplicas says why there cannot be so many instances; "" if there can.
func CheckReplicas(n int32) string {
	if n < 0 || n > ReplicasMax {
		return fmt.Sprintf("must be from 0 to %d", ReplicasMax)
	}
	return ""
}

// CheckVersion says why a version cannot be one; "" if it can. It becomes part of
// the names of pods, and of directories.
func CheckVersion(version string) string {
	if len(validation.IsDNS1123Label(version)) > 0 {
		return "must be 1 to 63 of a-z, 0-9 and '-', such as v2, with a letter or digit first and last"
	}
	return ""
}
