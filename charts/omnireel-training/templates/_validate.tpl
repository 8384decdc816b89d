{{/* Stops with one sentence when values do not fit together, or to the cluster. */}}
{{- define "training.validate" -}}
{{- $v := .Values -}}
{{- if $v.mlflow.enabled -}}
{{- if not $v.mlflow.existingSecret }}{{ fail "mlflow.existingSecret is not set: name the Secret with database-url (and secret-key, admin-password, basic_auth.ini), or set mlflow.enabled=false." }}{{ end -}}
{{- if not $v.mlflow.artifacts }}{{ fail "mlflow.artifacts is not set: say where MLflow keeps files, as s3://bucket/mlflow." }}{{ end -}}
{{- if and (hasPrefix "s3:" $v.mlflow.artifacts) (not $v.storage.existingSecret) }}{{ fail "storage.existingSecret is not set: mlflow.artifacts is in S3 and needs its credentials." }}{{ end -}}
{{- end -}}
{{- if and $v.storage.buckets (not $v.storage.existingSecret) }}{{ fail "storage.existingSecret is not set: storage.buckets needs the credentials of the store." }}{{ end -}}
{{- if and $v.runtime.topology.required $v.runtime.topology.preferred }}{{ fail "runtime.topology.required and runtime.topology.preferred are both set: choose one." }}{{ end -}}
{{- if and $v.runtime.network.interface (hasKey $v.runtime.network.nccl "SOCKET_IFNAME") }}{{ fail "runtime.network.interface and runtime.network.nccl.SOCKET_IFNAME both set NCCL_SOCKET_IFNAME: leave one of them out." }}{{ end -}}
{{- include "common.refuseDuplicateEnv" (dict "own" (include "training.trainerEnv" .) "given" $v.runtime.env "value" "runtime.env") -}}
{{- if and $v.queues.enabled (not $v.queues.quota) }}{{ fail "queues.quota is empty: a queue without a quota admits nothing." }}{{ end -}}
{{- if lookup "v1" "ConfigMap" .Release.Namespace "kube-root-ca.crt" -}}
{{- range list
  (list $v.runtime.enabled "trainer.kubeflow.org/v1alpha1" "runtime.enabled" "the Kubeflow Trainer")
  (list $v.queues.enabled "kueue.x-k8s.io/v1beta2" "queues.enabled" "Kueue") -}}
{{- if and (index . 0) (not ($.Capabilities.APIVersions.Has (index . 1))) -}}
{{- fail (printf "%s needs %s, which this cluster does not have (no %s): install it first, or set that value to false." (index . 2) (index . 3) (index . 1)) -}}
{{- end -}}
{{- end -}}
{{- range list (list "mlflow.existingSecret" ($v.mlflow.enabled | ternary $v.mlflow.existingSecret "")) (list "storage.existingSecret" $v.storage.existingSecret) -}}
{{- if and (index . 1) (not (lookup "v1" "Secret" $.Release.Namespace (index . 1))) -}}
{{- fail (printf "there is no Secret %q in the namespace %q (%s)." (index . 1) $.Release.Namespace (index . 0)) -}}
{{- end -}}
{{- end -}}
{{- with $v.trust.configMap -}}
{{- if not (lookup "v1" "ConfigMap" $.Release.Namespace .) }}{{ fail (printf "there is no ConfigMap %q in the namespace %q (trust.configMap)." . $.Release.Namespace) }}{{ end -}}
{{- end -}}
{{- with $v.storage.runs.existingClaim -}}
{{- if not (lookup "v1" "PersistentVolumeClaim" $.Release.Namespace .) }}{{ fail (printf "there is no PersistentVolumeClaim %q in the namespace %q (storage.runs.existingClaim)." . $.Release.Namespace) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- end -}}
