{{/* The start of a NetworkPolicy. Takes a dict: root, component. */}}
{{- define "omnireel.policyHead" -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "common.fullname" .root }}-{{ .component }}
  labels: {{- include "common.labels" . | nindent 4 }}
spec:
  podSelector:
    matchLabels: {{- include "common.selector" . | nindent 6 }}
  policyTypes: [Ingress, Egress]
{{- end -}}

{{/* Another component of this release, as a peer. Takes a dict: root, component. */}}
{{- define "omnireel.peer" -}}
- podSelector:
    matchLabels: {{- include "common.selector" . | nindent 6 }}
{{- end -}}

{{/* Ingress of Prometheus. */}}
{{- define "omnireel.fromMonitoring" -}}
- from: {{- toYaml .Values.networkPolicies.monitoring | nindent 4 }}
  ports: [{protocol: TCP, port: 9090}]
{{- end -}}

{{/* Egress to the database, broker or store: in the chart, or where the values say. Takes a dict: root, which. */}}
{{- define "omnireel.egressTo" -}}
{{- if .root.Values.dev.enabled -}}
{{- $part := get (dict "database" "dev-postgresql" "broker" "dev-redis" "store" "dev-s3") .which -}}
- to: {{- include "omnireel.peer" (dict "root" .root "component" $part) | nindent 4 }}
  ports: [{protocol: TCP, port: {{ get (dict "database" 5432 "broker" 6379 "store" 9000) .which }}}]
{{- else -}}
{{- $given := index .root.Values .which -}}
{{ include "common.egressTo" (dict "peers" $given.peers "port" $given.port) }}
{{- end -}}
{{- end -}}

{{/* Egress to the model services. */}}
{{- define "omnireel.egressToModels" -}}
- to:
  {{- range $component, $_ := include "omnireel.models" . | fromJson }}
    {{- include "omnireel.peer" (dict "root" $ "component" $component) | nindent 4 }}
  {{- end }}
  ports: [{protocol: TCP, port: 7070}]
{{- end -}}

{{/* Egress to the collector of traces. */}}
{{- define "omnireel.egressToOtlp" -}}
{{- with .Values.networkPolicies.otlpPort -}}
- ports: [{protocol: TCP, port: {{ . }}}]
{{- end -}}
{{- end -}}

{{/* Egress of the gateway to the web: webhooks, media by address, tokens' issuers. */}}
{{- define "omnireel.egressToWeb" -}}
{{- $ports := list -}}
{{- $private := false -}}
{{- with .Values.gateway -}}
{{- if .signingKey.existingSecret -}}
{{- $ports = concat $ports (.webhooks.ports | default (list 443)) -}}
{{- $private = or $private .webhooks.allow_networks -}}
{{- end -}}
{{- if eq (.settings.fetch_urls | default "off") "on" -}}
{{- $ports = concat $ports (.settings.fetch_ports | default (list 443)) -}}
{{- $private = or $private .settings.fetch_networks -}}
{{- end -}}
{{- if .settings.oidc_issuer -}}
{{- $ports = append $ports 443 -}}
{{- $private = true -}}
{{- end -}}
{{- end -}}
{{- if $ports -}}
- ports:
  {{- range $ports | uniq }}
    - {protocol: TCP, port: {{ . }}}
  {{- end }}
  {{- if not $private }}
  to:
    - ipBlock:
        cidr: 0.0.0.0/0
        except: [10.0.0.0/8, 100.64.0.0/10, 169.254.0.0/16, 172.16.0.0/12, 192.168.0.0/16]
    - ipBlock:
        cidr: ::/0
        except: ["fc00::/7", "fe80::/10"]
  {{- end }}
{{- end -}}
{{- end -}}
