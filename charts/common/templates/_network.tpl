{{/* Egress to the cluster's DNS. */}}
{{- define "common.egressToDns" -}}
- to:
    - namespaceSelector:
        matchLabels: {kubernetes.io/metadata.name: kube-system}
  ports:
    - {protocol: UDP, port: 53}
    - {protocol: TCP, port: 53}
{{- end -}}

{{/* The port that an http(s) address leads to. */}}
{{- define "common.portOf" -}}
{{- $port := regexFind ":[0-9]+$" (regexFind "://[^/?#&]+" .) | trimPrefix ":" -}}
{{- $port | default (contains "http://" . | ternary "80" "443") -}}
{{- end -}}

{{/* Egress to something outside the chart. Takes a dict: peers (none: anywhere), port. */}}
{{- define "common.egressTo" -}}
- ports:
    - {protocol: TCP, port: {{ .port }}}
  {{- with .peers }}
  to: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{/* A component of this release, as a peer. Takes a dict: root, component. */}}
{{- define "common.peer" -}}
- podSelector:
    matchLabels: {{- include "common.selector" . | nindent 6 }}
{{- end -}}
