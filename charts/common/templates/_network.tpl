{{/* Egress to the cluster's DNS. */}}
{{- define "common.egressToDns" -}}
- to:
    - namespaceSelector:
        matchLabels: {kubernetes.io/metadata.name: kube-system}
  ports:
    - {protocol: UDP, port: 53}
    - {protocol: TCP, port: 53}
{{- end -}}

{{/* Egress to something outside the chart. Takes a dict: peers (none: anywhere), port. */}}
{{- define "common.egressTo" -}}
- ports:
    - {protocol: TCP, port: {{ .port }}}
  {{- with .peers }}
  to: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}
