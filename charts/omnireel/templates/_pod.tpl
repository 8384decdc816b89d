{{/*
The pod of a service. Takes a dict:
  root, component, values   what it is, and its part of values.yaml
  image, module             what it runs
  database, broker, store, callsModels, isModel, signing, c2pa   what it may see, as booleans
*/}}
{{- define "omnireel.pod" -}}
{{- $root := .root -}}
{{- $ := . -}}
metadata:
  labels: {{- include "common.labels" (pick . "root" "component") | nindent 4 }}
  annotations:
    checksum/config: {{ include "omnireel.config" (pick . "root" "component" "values") | sha256sum }}
    {{- with .values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "common.fullname" .root }}-{{ .component }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ add .values.graceSeconds (.values.handoverSeconds | default 0) 30 }}
  securityContext: {{- include "common.podSecurity" 10001 | nindent 4 }}
  {{- with .root.Values.images.pullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ . }}
    {{- end }}
  {{- end }}
  {{- with include "common.placement" .values }}
  {{- . | nindent 2 }}
  {{- end }}
  topologySpreadConstraints: {{- include "common.spread" (pick . "root" "component") | nindent 4 }}
  {{- if or .database (and .isModel (eq .root.Values.weights.source "s3")) }}
  initContainers:
    {{- if .database }}
    - name: wait-for-schema
      {{- include "omnireel.tool" (dict "root" .root "image" .image) | nindent 6 }}
      args: [services.common.jobs.wait_for_schema, "file:/run/secrets/omnireel/database/url", --seconds, {{ .root.Values.migrations.waitSeconds | quote }}]
      resources: {{- toYaml .root.Values.migrations.resources | nindent 8 }}
      volumeMounts:
        - {name: database, mountPath: /run/secrets/omnireel/database, readOnly: true}
        - {name: tmp, mountPath: /tmp}
    {{- else }}
    - name: weights
      {{- include "omnireel.tool" (dict "root" .root "image" .image) | nindent 6 }}
      args: [services.common.fetch_weights, {{ .root.Values.weights.s3.url | quote }}, /weights]
      env: {{- include "omnireel.env" .root | nindent 8 }}
      resources: {{- toYaml .values.resources | nindent 8 }}
      volumeMounts:
        - {name: weights, mountPath: /weights}
        - {name: tmp, mountPath: /tmp}
        {{- include "omnireel.trustMount" .root | nindent 8 }}
    {{- end }}
  {{- end }}
  containers:
    - name: {{ .component }}
      image: {{ include "common.image" (pick . "root" "image") }}
      imagePullPolicy: {{ .root.Values.images.pullPolicy }}
      {{- if .values.command }}
      command: {{- toYaml .values.command | nindent 8 }}
      {{- else }}
      command: [python, -m, services.{{ .component | replace "-" "_" }}.main]
      {{- end }}
      securityContext: {{- include "common.containerSecurity" . | nindent 8 }}
      terminationMessagePolicy: FallbackToLogsOnError
      envFrom:
        - configMapRef: {name: {{ include "common.fullname" .root }}-{{ .component }}}
        {{- with .values.envFromSecret }}
        - secretRef: {name: {{ . }}}
        {{- end }}
      env:
        {{- include "omnireel.env" .root | nindent 8 }}
        {{- with .values.env }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      ports:
        {{- if ne .component "worker" }}
        - {name: grpc, containerPort: 7070}
        {{- end }}
        {{- if eq .component "gateway" }}
        - {name: http, containerPort: 7080}
        {{- end }}
        - {name: health, containerPort: 8081}
        - {name: metrics, containerPort: 9090}
      # The names under which a service tells of itself (docs/serving/operate.md), on a port without TLS.
      startupProbe:
        grpc: {port: 8081, service: startup}
        periodSeconds: 2
        timeoutSeconds: 5
        failureThreshold: {{ div (add (.values.startupSeconds | default 300) 1) 2 }}
      readinessProbe:
        grpc: {port: 8081, service: readiness}
        periodSeconds: 5
        timeoutSeconds: 5
        failureThreshold: 2
      livenessProbe:
        # A service says NOT_SERVING here only after long silence: the second time settles it.
        grpc: {port: 8081, service: liveness}
        periodSeconds: 10
        timeoutSeconds: 10
        failureThreshold: 2
        {{- if has .component (list "prompt-enhancer" "generator" "super-resolver") }}
        # What hangs, or has lost its GPU, has nothing to hand over: the long grace period is not for it.
        terminationGracePeriodSeconds: 5
        {{- end }}
      {{- if ne .component "worker" }}
      lifecycle:
        # New calls stop coming before the server stops taking them.
        preStop: {sleep: {seconds: 5}}
      {{- end }}
      resources: {{- toYaml .values.resources | nindent 8 }}
      volumeMounts: {{- include "omnireel.mounts" . | nindent 8 }}
  volumes: {{- include "omnireel.volumes" . | nindent 4 }}
{{- end -}}

{{/* A short program of the image, up to its arguments. Takes a dict: root, image. */}}
{{- define "omnireel.tool" -}}
image: {{ include "common.image" . }}
imagePullPolicy: {{ .root.Values.images.pullPolicy }}
command: [python, -m]
securityContext: {{- include "common.containerSecurity" . | nindent 2 }}
terminationMessagePolicy: FallbackToLogsOnError
{{- end -}}

{{/* Variables that the chart sets in every container of a service, beside its ConfigMap. */}}
{{- define "omnireel.env" -}}
{{ include "omnireel.storeEnv" . }}
{{ include "omnireel.trustEnv" . }}
{{- end -}}

{{- define "omnireel.trustEnv" -}}
{{- if .Values.trust.configMap -}}
- name: SSL_CERT_FILE
  value: /run/trust/ca.crt
{{- end -}}
{{- end -}}

{{- define "omnireel.trustMount" -}}
{{- if .Values.trust.configMap -}}
- {name: trust, mountPath: /run/trust, readOnly: true}
{{- end -}}
{{- end -}}
