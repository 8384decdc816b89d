{{/*
The Secrets that a release reads, as JSON: [{name, keys, value}]; `value` is the key of values.yaml that names it.
*/}}
{{- define "omnireel.givenSecrets" -}}
{{- $found := list -}}
{{- $v := .Values -}}
{{- if not $v.dev.enabled -}}
{{- $found = append $found (dict "name" $v.database.existingSecret "keys" (list $v.database.key) "value" "database.existingSecret") -}}
{{- $found = append $found (dict "name" $v.broker.existingSecret "keys" (list $v.broker.key) "value" "broker.existingSecret") -}}
{{- $found = append $found (dict "name" $v.store.existingSecret "keys" (list $v.store.accessKeyKey $v.store.secretKeyKey) "value" "store.existingSecret") -}}
{{- end -}}
{{- with $v.gateway.signingKey }}{{ if .existingSecret }}
{{- $found = append $found (dict "name" .existingSecret "keys" (list .key) "value" "gateway.signingKey.existingSecret") -}}
{{- end }}{{ end -}}
{{- with $v.worker.c2pa.existingSecret -}}
{{- $found = append $found (dict "name" . "keys" (list "chain.pem" "key.pem") "value" "worker.c2pa.existingSecret") -}}
{{- end -}}
{{- if eq $v.tls.gateway.mode "secret" -}}
{{- $found = append $found (dict "name" $v.tls.gateway.secret "keys" (list "tls.crt" "tls.key") "value" "tls.gateway.secret") -}}
{{- end -}}
{{- if eq $v.tls.services.mode "secret" -}}
{{- $found = append $found (dict "name" $v.tls.services.secret "keys" (list "tls.crt" "tls.key" "ca.crt") "value" "tls.services.secret") -}}
{{- end -}}
{{- range $_, $key := include "omnireel.models" . | fromJson }}
{{- with (index $v $key).envFromSecret -}}
{{- $found = append $found (dict "name" . "keys" list "value" (printf "%s.envFromSecret" $key)) -}}
{{- end -}}
{{- end -}}
{{- range $v.images.pullSecrets -}}
{{- $found = append $found (dict "name" . "keys" (list ".dockerconfigjson") "value" "images.pullSecrets") -}}
{{- end -}}
{{- $found | toJson -}}
{{- end -}}

{{/* A volume with one secret address in the file `url`. Takes a dict: root, which (database, broker). */}}
{{- define "omnireel.urlVolume" -}}
{{- $given := index .root.Values .which -}}
- name: {{ .which }}
  secret:
    {{- if .root.Values.dev.enabled }}
    secretName: {{ include "common.fullname" .root }}-dev
    items: [{key: {{ .which }}-url, path: url}]
    {{- else }}
    secretName: {{ $given.existingSecret }}
    items: [{key: {{ $given.key }}, path: url}]
    {{- end }}
    defaultMode: 0440
{{- end -}}

{{/* The store's credentials, as variables. */}}
{{- define "omnireel.storeEnv" -}}
{{- $dev := .Values.dev.enabled -}}
{{- $name := $dev | ternary (printf "%s-dev" (include "common.fullname" .)) .Values.store.existingSecret -}}
- name: AWS_ACCESS_KEY_ID
  valueFrom: {secretKeyRef: {name: {{ $name }}, key: {{ $dev | ternary "access-key" .Values.store.accessKeyKey }}}}
- name: AWS_SECRET_ACCESS_KEY
  valueFrom: {secretKeyRef: {name: {{ $name }}, key: {{ $dev | ternary "secret-key" .Values.store.secretKeyKey }}}}
{{- end -}}

{{/* The Secret with the certificate of the gateway, or of the services. */}}
{{- define "omnireel.tlsSecret" -}}
{{- $tls := index .root.Values.tls .which -}}
{{- eq $tls.mode "certManager" | ternary (printf "%s-%s-tls" (include "common.fullname" .root) .which) $tls.secret -}}
{{- end -}}
