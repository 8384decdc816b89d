{{/* The model services: the name of the component and the key of its values. */}}
{{- define "omnireel.models" -}}
{"prompt-enhancer": "promptEnhancer", "generator": "generator", "super-resolver": "superResolver"}
{{- end -}}

{{/* PREFIX_FIELD: "value" for each field. Takes a dict: prefix, fields. */}}
{{- define "omnireel.settings" -}}
{{- range $field, $value := .fields }}
{{ $.prefix }}_{{ upper $field }}: {{ kindIs "string" $value | ternary $value (toJson $value) | quote }}
{{- end }}
{{- end -}}

{{/* Settings that every service has. Takes a dict: prefix, values. */}}
{{- define "omnireel.commonSettings" -}}
{{ .prefix }}_HEALTH_LISTEN: "0.0.0.0:8081"
{{ .prefix }}_METRICS_LISTEN: "0.0.0.0:9090"
# What keeps strangers out of the other ports are the NetworkPolicies, or mutual TLS.
{{ .prefix }}_ALLOW_REMOTE: "true"
{{ .prefix }}_GRACE_S: {{ .values.graceSeconds | quote }}
{{- if not (hasKey .values.settings "log_format") }}
{{ .prefix }}_LOG_FORMAT: json
{{- end }}
{{- end -}}

{{/* Where a caller finds the model services. Takes a dict: root, prefix. */}}
{{- define "omnireel.modelAddresses" -}}
{{- range $component, $_ := include "omnireel.models" . | fromJson }}
{{ $.prefix }}_{{ $component | upper | replace "-" "_" }}: {{ include "omnireel.host" (dict "root" $.root "component" $component) }}:7070
{{- end }}
{{- if ne .root.Values.tls.services.mode "off" }}
{{ .prefix }}_MODELS_CA: /run/tls/services/ca.crt
{{ .prefix }}_MODELS_CERT: /run/tls/services/tls.crt
{{ .prefix }}_MODELS_KEY: /run/tls/services/tls.key
{{- end }}
{{- end -}}

{{/* A Service's name within the cluster. Takes a dict: root, component. */}}
{{- define "omnireel.host" -}}
{{- if hasPrefix "dev-" .component -}}
{{ include "omnireel.devName" . }}
{{- else -}}
{{ include "common.fullname" .root }}-{{ .component }}
{{- end -}}
.{{ .root.Release.Namespace }}.svc
{{- end -}}

{{- define "omnireel.gatewayConfig" -}}
{{- $p := "OMNIREEL_GATEWAY" -}}
{{ include "omnireel.commonSettings" (dict "prefix" $p "values" .Values.gateway) }}
{{ $p }}_LISTEN: "0.0.0.0:7070"
{{ $p }}_HTTP_LISTEN: "0.0.0.0:7080"
# Standard error is a log that others read, so no key is printed there; NOTES.txt says how to make the first.
{{ $p }}_FIRST_KEY: none
{{ $p }}_DATABASE_URL: file:/run/secrets/omnireel/database/url
{{ $p }}_STORE_URL: {{ include "omnireel.storeUrl" . | quote }}
{{- if eq .Values.tls.gateway.mode "proxy" }}
{{ $p }}_TLS: "off"
{{- else }}
{{ $p }}_TLS_CERT: /run/tls/gateway/tls.crt
{{ $p }}_TLS_KEY: /run/tls/gateway/tls.key
{{- end }}
{{- if .Values.gateway.signingKey.existingSecret }}
{{ $p }}_SIGNING_KEY_FILE: /run/secrets/omnireel/signing/key
{{- end }}
{{- with include "omnireel.publicHost" . }}
{{- if not (hasKey $.Values.gateway.http "public_url") }}
{{ $p }}_HTTP_PUBLIC_URL: https://{{ . }}
{{- end }}
{{- if not (hasKey $.Values.gateway.http "hosts") }}
{{ $p }}_HTTP_HOSTS: {{ list . | toJson | quote }}
{{- end }}
{{- end }}
{{- include "omnireel.modelAddresses" (dict "root" . "prefix" $p) }}
{{- include "omnireel.settings" (dict "prefix" $p "fields" .Values.gateway.settings) }}
{{- include "omnireel.settings" (dict "prefix" (printf "%s_HTTP" $p) "fields" .Values.gateway.http) }}
{{- include "omnireel.settings" (dict "prefix" (printf "%s_WEBHOOK" $p) "fields" (omit .Values.gateway.webhooks "enabled")) }}
{{ $p }}_WEBHOOK_ENABLED: {{ ternary (dig "enabled" true .Values.gateway.webhooks) false (ne .Values.gateway.signingKey.existingSecret "") | quote }}
{{- include "omnireel.settings" (dict "prefix" "OMNIREEL_STORAGE" "fields" .Values.storage) }}
{{- end -}}

{{- define "omnireel.workerConfig" -}}
{{- $p := "OMNIREEL_WORKER" -}}
{{ include "omnireel.commonSettings" (dict "prefix" $p "values" .Values.worker) }}
{{ $p }}_LISTEN: "127.0.0.1:7070"
{{ $p }}_HANDOVER_S: {{ .Values.worker.handoverSeconds | quote }}
{{ $p }}_SLOTS: {{ .Values.worker.slots | quote }}
{{ $p }}_SAFETY: {{ .Values.worker.safety | quote }}
{{ $p }}_DATABASE_URL: file:/run/secrets/omnireel/database/url
{{ $p }}_BROKER_URL: file:/run/secrets/omnireel/broker/url
{{ $p }}_STORE_URL: {{ include "omnireel.storeUrl" . | quote }}
{{- if .Values.worker.c2pa.existingSecret }}
{{ $p }}_C2PA_CHAIN: file:/run/secrets/omnireel/c2pa/chain.pem
{{ $p }}_C2PA_KEY: file:/run/secrets/omnireel/c2pa/key.pem
{{- end }}
{{- include "omnireel.modelAddresses" (dict "root" . "prefix" $p) }}
{{- include "omnireel.settings" (dict "prefix" $p "fields" .Values.worker.settings) }}
{{- include "omnireel.settings" (dict "prefix" "OMNIREEL_STORAGE" "fields" .Values.storage) }}
{{- end -}}

{{/* Takes a dict: root, component, values. */}}
{{- define "omnireel.modelConfig" -}}
{{- $p := printf "OMNIREEL_%s" (.component | upper | replace "-" "_") -}}
{{ include "omnireel.commonSettings" (dict "prefix" $p "values" .values) }}
{{ $p }}_LISTEN: "0.0.0.0:7070"
{{ $p }}_HANDOVER_S: {{ .values.handoverSeconds | quote }}
{{ $p }}_STORE_URL: {{ include "omnireel.storeUrl" .root | quote }}
{{- if ne .root.Values.weights.source "shipped" }}
{{ $p }}_WEIGHTS: /weights{{ with .root.Values.weights.path }}/{{ trimAll "/" . }}{{ end }}
{{- end }}
{{- if ne .root.Values.tls.services.mode "off" }}
{{ $p }}_TLS_CERT: /run/tls/services/tls.crt
{{ $p }}_TLS_KEY: /run/tls/services/tls.key
{{ $p }}_TLS_CLIENT_CA: /run/tls/services/ca.crt
{{- end }}
{{- include "omnireel.settings" (dict "prefix" $p "fields" .values.settings) }}
{{- end -}}

{{/* The configuration of a component. Takes a dict: root, component, values. */}}
{{- define "omnireel.config" -}}
{{- if eq .component "gateway" }}{{ include "omnireel.gatewayConfig" .root }}
{{- else if eq .component "worker" }}{{ include "omnireel.workerConfig" .root }}
{{- else }}{{ include "omnireel.modelConfig" . }}
{{- end }}
{{- end -}}

{{- define "omnireel.publicHost" -}}
{{- if .Values.routes.ingress.enabled }}{{ .Values.routes.ingress.host }}
{{- else if .Values.routes.gatewayApi.enabled }}{{ .Values.routes.gatewayApi.host }}
{{- end }}
{{- end -}}

{{- define "omnireel.storeUrl" -}}
{{- if .Values.dev.enabled -}}
s3://omnireel?endpoint=http://{{ include "omnireel.host" (dict "root" . "component" "dev-s3") }}:9000
{{- else -}}
{{ .Values.store.url }}
{{- end -}}
{{- end -}}
