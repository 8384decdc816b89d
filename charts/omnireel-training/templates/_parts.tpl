{{/* Name of the claim that runs are kept on. */}}
{{- define "training.runsClaim" -}}
{{ .Values.storage.runs.existingClaim | default .Values.storage.runs.name }}
{{- end -}}

{{/* Name of MLflow's Service: the one that workflows have as their default. */}}
{{- define "training.mlflow" -}}
omnireel-mlflow
{{- end -}}

{{/* Environment variables that lead to the object store. */}}
{{- define "training.storeEnv" -}}
{{- with .Values.storage -}}
{{- if .existingSecret }}
- name: AWS_ACCESS_KEY_ID
  valueFrom: {secretKeyRef: {name: {{ .existingSecret }}, key: access-key}}
- name: AWS_SECRET_ACCESS_KEY
  valueFrom: {secretKeyRef: {name: {{ .existingSecret }}, key: secret-key}}
{{- end }}
- {name: AWS_DEFAULT_REGION, value: {{ .region | quote }}}
{{- if .endpoint }}
- {name: MLFLOW_S3_ENDPOINT_URL, value: {{ .endpoint | quote }}}
{{- end }}
{{- end -}}
{{- end -}}

{{/* Environment variables of MLflow's clients. */}}
{{- define "training.mlflowClientEnv" -}}
{{- if and .Values.mlflow.auth .Values.mlflow.clientSecret }}
- name: MLFLOW_TRACKING_USERNAME
  valueFrom: {secretKeyRef: {name: {{ .Values.mlflow.clientSecret }}, key: username, optional: true}}
- name: MLFLOW_TRACKING_PASSWORD
  valueFrom: {secretKeyRef: {name: {{ .Values.mlflow.clientSecret }}, key: password, optional: true}}
{{- end }}
{{- end -}}

{{/* What programs write to: their root file system is read-only. */}}
{{- define "training.homeEnv" -}}
- {name: HOME, value: /tmp}
- {name: TMPDIR, value: /tmp}
{{- end -}}

{{/* Environment variables that name the authorities to trust: of Python's own TLS and MinIO, botocore, requests. */}}
{{- define "training.trustEnv" -}}
{{- if .Values.trust.configMap -}}
{{- range list "SSL_CERT_FILE" "AWS_CA_BUNDLE" "REQUESTS_CA_BUNDLE" }}
- {name: {{ . }}, value: /run/trust/ca.crt}
{{- end }}
{{- end -}}
{{- end -}}

{{/* Mount of those authorities. */}}
{{- define "training.trustMount" -}}
{{- if .Values.trust.configMap }}
- {name: trust, mountPath: /run/trust, readOnly: true}
{{- end }}
{{- end -}}

{{/* The volume behind it. */}}
{{- define "training.trustVolume" -}}
{{- with .Values.trust }}
{{- if .configMap }}
- name: trust
  configMap: {name: {{ .configMap }}, items: [{key: {{ .key }}, path: ca.crt}]}
{{- end }}
{{- end }}
{{- end -}}

{{/* Environment variables of every rank, without those of runtime.env. */}}
{{- define "training.trainerEnv" -}}
{{- include "training.homeEnv" . }}
{{- with .Values.runtime.network.interface }}
- {name: NCCL_SOCKET_IFNAME, value: {{ . | quote }}}
- {name: GLOO_SOCKET_IFNAME, value: {{ . | quote }}}
{{- end }}
{{- range $key, $value := .Values.runtime.network.nccl }}
- {name: NCCL_{{ $key }}, value: {{ $value | quote }}}
{{- end }}
{{ include "training.storeEnv" . | trim }}
{{- include "training.mlflowClientEnv" . }}
{{- include "training.trustEnv" . }}
{{- end -}}

{{/* imagePullSecrets, if there are any. */}}
{{- define "training.pullSecrets" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* Name of the ClusterQueue: it belongs to no namespace, so its name holds one. */}}
{{- define "training.clusterQueue" -}}
{{ .Values.queues.clusterQueue | default (printf "%s-%s" .Release.Namespace (include "common.fullname" .)) }}
{{- end -}}

{{/* Name of the ResourceFlavor. */}}
{{- define "training.flavor" -}}
{{ .Values.queues.flavor.existing | default (include "training.clusterQueue" .) }}
{{- end -}}
