{{/* Stops with one sentence when values do not fit together, or to the cluster. */}}
{{- define "omnireel.validate" -}}
{{- $v := .Values -}}
{{- if not $v.worker.safety -}}
{{- fail "worker.safety is not set: name the classifier that requests and results must pass, or say \"off\" to answer for them yourself." -}}
{{- end -}}
{{- if $v.dev.enabled -}}
{{- if not $v.dev.password }}{{ fail "dev.password is not set: dev.enabled needs one for its database, broker and store." }}{{ end -}}
{{- else -}}
{{- range list "database" "broker" "store" -}}
{{- if not (index $v .).existingSecret -}}
{{- fail (printf "%s.existingSecret is not set: name the Secret that holds it, or try things out with -f values-dev.yaml." .) -}}
{{- end -}}
{{- end -}}
{{- if not $v.store.url }}{{ fail "store.url is not set: give the bucket, as s3://bucket/prefix?endpoint=https://host." }}{{ end -}}
{{- end -}}
{{- with $v.worker.image -}}
{{- if not .repository }}{{ fail "worker.image.repository is not set: worker.image takes the place of images.services as a whole." }}{{ end -}}
{{- end -}}
{{- if eq (int $v.gateway.service.grpcPort) (int $v.gateway.service.httpPort) }}{{ fail (printf "gateway.service.grpcPort and httpPort are both %v: gRPC and HTTP need ports of their own." $v.gateway.service.grpcPort) }}{{ end -}}
{{- $needs := dict "image" (list "weights.image.reference" $v.weights.image.reference) "pvc" (list "weights.pvc.claimName" $v.weights.pvc.claimName) "s3" (list "weights.s3.url" $v.weights.s3.url) "hostPath" (list "weights.hostPath.path" $v.weights.hostPath.path) -}}
{{- with get $needs $v.weights.source -}}
{{- if not (index . 1) }}{{ fail (printf "%s is not set: weights.source is %q and needs it." (index . 0) $v.weights.source) }}{{ end -}}
{{- end -}}
{{- range $which := list "gateway" "services" -}}
{{- $tls := index $v.tls $which -}}
{{- if and (eq $tls.mode "secret") (not $tls.secret) }}{{ fail (printf "tls.%s.secret is not set: tls.%s.mode is \"secret\" and needs it." $which $which) }}{{ end -}}
{{- if and (eq $tls.mode "certManager") (not $tls.issuerRef.name) }}{{ fail (printf "tls.%s.issuerRef.name is not set: tls.%s.mode is \"certManager\" and needs it." $which $which) }}{{ end -}}
{{- end -}}
{{- range $name, $route := $v.routes -}}
{{- if $route.enabled -}}
{{- if or (not $route.host) (not $route.grpcHost) }}{{ fail (printf "routes.%s.host and routes.%s.grpcHost are both needed." $name $name) }}{{ end -}}
{{- if eq $route.host $route.grpcHost }}{{ fail (printf "routes.%s.host and routes.%s.grpcHost are both %q: HTTP and gRPC need names of their own." $name $name $route.host) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- if and $v.routes.gatewayApi.enabled (not $v.routes.gatewayApi.parentRefs) }}{{ fail "routes.gatewayApi.parentRefs is empty: name the Gateway that the routes belong to." }}{{ end -}}
{{- if and $v.routes.gatewayApi.enabled $v.routes.ingress.enabled }}{{ fail "routes.ingress and routes.gatewayApi are both enabled: choose one." }}{{ end -}}
{{- if gt (int $v.autoscaling.minReplicas) (int $v.autoscaling.maxReplicas) }}{{ fail (printf "autoscaling.minReplicas is %v and maxReplicas %v: the least cannot be above the most." $v.autoscaling.minReplicas $v.autoscaling.maxReplicas) }}{{ end -}}
{{- range $key := concat (list "gateway" "worker") (include "omnireel.models" . | fromJson | values | sortAlpha) -}}
{{- include "common.refuseDuplicateEnv" (dict "own" (include "omnireel.env" $) "given" (index $v $key).env "value" (printf "%s.env" $key)) -}}
{{- end -}}
{{- include "omnireel.validateCluster" . -}}
{{- end -}}

{{/*
What can be seen of the cluster while installing. Every namespace has the ConfigMap below: when it
is not to be seen, charts are only rendered, or the namespace does not exist yet.
*/}}
{{- define "omnireel.validateCluster" -}}
{{- if lookup "v1" "ConfigMap" .Release.Namespace "kube-root-ca.crt" -}}
{{- include "omnireel.validateVersion" . -}}
{{- range include "omnireel.givenSecrets" . | fromJsonArray -}}
{{- $secret := lookup "v1" "Secret" $.Release.Namespace .name -}}
{{- if not $secret -}}
{{- fail (printf "there is no Secret %q in the namespace %q (%s): make it with `kubectl -n %s create secret generic %s`, keys: %s." .name $.Release.Namespace .value $.Release.Namespace .name (join ", " .keys | default "those of its variables")) -}}
{{- end -}}
{{- $given := . -}}
{{- range .keys -}}
{{- if not (hasKey ($secret.data | default dict) .) }}{{ fail (printf "the Secret %q in the namespace %q (%s) has no key %q." $given.name $.Release.Namespace $given.value .) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- with .Values.trust.configMap -}}
{{- if not (lookup "v1" "ConfigMap" $.Release.Namespace .) }}{{ fail (printf "there is no ConfigMap %q in the namespace %q (trust.configMap)." . $.Release.Namespace) }}{{ end -}}
{{- end -}}
{{- if eq .Values.weights.source "pvc" -}}
{{- if not (lookup "v1" "PersistentVolumeClaim" .Release.Namespace .Values.weights.pvc.claimName) }}{{ fail (printf "there is no PersistentVolumeClaim %q in the namespace %q (weights.pvc.claimName)." .Values.weights.pvc.claimName .Release.Namespace) }}{{ end -}}
{{- end -}}
{{- $monitoring := or .Values.monitoring.serviceMonitors .Values.monitoring.alerts -}}
{{- $certificates := or (eq .Values.tls.gateway.mode "certManager") (eq .Values.tls.services.mode "certManager") -}}
{{- range list
  (list $monitoring "monitoring.coreos.com/v1" "monitoring.serviceMonitors and monitoring.alerts" "the Prometheus operator")
  (list $certificates "cert-manager.io/v1" "tls with mode certManager" "cert-manager")
  (list .Values.routes.gatewayApi.enabled "gateway.networking.k8s.io/v1/GRPCRoute" "routes.gatewayApi" "the Gateway API")
  (list (eq .Values.autoscaling.kind "keda") "keda.sh/v1alpha1" "autoscaling.kind keda" "KEDA") -}}
{{- if and (index . 0) (not ($.Capabilities.APIVersions.Has (index . 1))) -}}
{{- fail (printf "%s needs %s, which this cluster does not have (no %s): install it first, or leave that value alone." (index . 2) (index . 3) (index . 1)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Whether the cluster is new enough; its version is Helm's own guess where charts are only rendered. */}}
{{- define "omnireel.validateVersion" -}}
{{- if and (eq .Values.weights.source "image") (semverCompare "<1.35.0-0" .Capabilities.KubeVersion.Version) -}}
{{- fail (printf "weights.source is \"image\", which needs Kubernetes 1.35 or newer, and this cluster is %s: take pvc or s3." .Capabilities.KubeVersion.Version) -}}
{{- end -}}
{{- end -}}
