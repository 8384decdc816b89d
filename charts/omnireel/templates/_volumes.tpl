{{/* What a service's container mounts; see omnireel.pod. */}}
{{- define "omnireel.mounts" -}}
- {name: tmp, mountPath: /tmp}
{{- if .database }}
- {name: database, mountPath: /run/secrets/omnireel/database, readOnly: true}
{{- end }}
{{- if .broker }}
- {name: broker, mountPath: /run/secrets/omnireel/broker, readOnly: true}
{{- end }}
{{- if and .signing .root.Values.gateway.signingKey.existingSecret }}
- {name: signing, mountPath: /run/secrets/omnireel/signing, readOnly: true}
{{- end }}
{{- if and .c2pa .root.Values.worker.c2pa.existingSecret }}
- {name: c2pa, mountPath: /run/secrets/omnireel/c2pa, readOnly: true}
{{- end }}
{{- if and (eq .component "gateway") (ne .root.Values.tls.gateway.mode "proxy") }}
- {name: gateway-tls, mountPath: /run/tls/gateway, readOnly: true}
{{- end }}
{{- if ne .root.Values.tls.services.mode "off" }}
- {name: services-tls, mountPath: /run/tls/services, readOnly: true}
{{- end }}
{{- if and .isModel (ne .root.Values.weights.source "shipped") }}
- {name: weights, mountPath: /weights, readOnly: true}
{{- end }}
{{- if .values.sharedMemory }}
- {name: shared-memory, mountPath: /dev/shm}
{{- end }}
{{- with include "omnireel.trustMount" .root }}
{{ . }}
{{- end }}
{{- end -}}

{{/* The volumes behind them. */}}
{{- define "omnireel.volumes" -}}
- name: tmp
  emptyDir: {}
{{- if .database }}
{{ include "omnireel.urlVolume" (dict "root" .root "which" "database") }}
{{- end }}
{{- if .broker }}
{{ include "omnireel.urlVolume" (dict "root" .root "which" "broker") }}
{{- end }}
{{- with .root.Values.gateway.signingKey }}
{{- if and $.signing .existingSecret }}
- name: signing
  secret:
    secretName: {{ .existingSecret }}
    items: [{key: {{ .key }}, path: key}]
    defaultMode: 0440
{{- end }}
{{- end }}
{{- with .root.Values.worker.c2pa.existingSecret }}
{{- if $.c2pa }}
- name: c2pa
  secret: {secretName: {{ . }}, defaultMode: 0440}
{{- end }}
{{- end }}
{{- if and (eq .component "gateway") (ne .root.Values.tls.gateway.mode "proxy") }}
- name: gateway-tls
  secret: {secretName: {{ include "omnireel.tlsSecret" (dict "root" .root "which" "gateway") }}, defaultMode: 0440}
{{- end }}
{{- if ne .root.Values.tls.services.mode "off" }}
- name: services-tls
  secret: {secretName: {{ include "omnireel.tlsSecret" (dict "root" .root "which" "services") }}, defaultMode: 0440}
{{- end }}
{{- if .isModel }}
{{- with .root.Values.weights }}
{{- if eq .source "image" }}
- name: weights
  image: {reference: {{ .image.reference }}, pullPolicy: {{ .image.pullPolicy }}}
{{- else if eq .source "pvc" }}
- name: weights
  persistentVolumeClaim: {claimName: {{ .pvc.claimName }}, readOnly: true}
{{- else if eq .source "s3" }}
- name: weights
  emptyDir: {sizeLimit: {{ .s3.sizeLimit }}}
{{- else if eq .source "hostPath" }}
- name: weights
  hostPath: {path: {{ .hostPath.path }}, type: Directory}
{{- end }}
{{- end }}
{{- end }}
{{- with .values.sharedMemory }}
- name: shared-memory
  emptyDir: {medium: Memory, sizeLimit: {{ . }}}
{{- end }}
{{- with .root.Values.trust }}
{{- if .configMap }}
- name: trust
  configMap: {name: {{ .configMap }}, items: [{key: {{ .key }}, path: ca.crt}]}
{{- end }}
{{- end }}
{{- end -}}
