{{/* The start of a NetworkPolicy. Takes a dict: root, component, annotations. */}}
{{- define "omnireel.policyHead" -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "common.fullname" .root }}-{{ .component }}
  labels: {{- include "common.labels" . | nindent 4 }}
  {{- with .annotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  podSelector:
    matchLabels: {{- include "common.selector" . | nindent 6 }}
  policyTypes: [Ingress, Egress]
{{- end -}}

{{/* Ingress of Prometheus; without peers nothing, for an empty list of peers would be everybody. */}}
{{- define "omnireel.fromMonitoring" -}}
{{- with .Values.networkPolicies.monitoring -}}
- from: {{- toYaml . | nindent 4 }}
  ports: [{protocol: TCP, port: 9090}]
{{- end -}}
{{- end -}}

{{/* Egress to the database, broker or store: in the chart, or where the values say. Takes a dict: root, which. */}}
{{- define "omnireel.egressTo" -}}
{{- if .root.Values.dev.enabled -}}
{{- $part := get (dict "database" "dev-postgresql" "broker" "dev-redis" "store" "dev-s3") .which -}}
- to: {{- include "common.peer" (dict "root" .root "component" $part) | nindent 4 }}
  ports: [{protocol: TCP, port: {{ get (dict "database" 5432 "broker" 6379 "store" 9000) .which }}}]
{{- else -}}
{{- $given := index .root.Values .which -}}
{{- $port := $given.port | default (include "omnireel.bucketPort" ($given.url | default "")) -}}
{{ include "common.egressTo" (dict "peers" $given.peers "port" $port) }}
{{- end -}}
{{- end -}}

{{/* The port behind s3://bucket/prefix?endpoint=..., which is Amazon's without an endpoint. */}}
{{- define "omnireel.bucketPort" -}}
{{- include "common.portOf" (regexFind "[?&]endpoint=[^&]+" .) -}}
{{- end -}}

{{/* Egress of a model service's start to the bucket of its weights, where that is not the store. */}}
{{- define "omnireel.egressToWeights" -}}
{{- $endpoint := "[?&]endpoint=[^&]+" -}}
{{- $url := .Values.weights.s3.url -}}
{{- if and (eq .Values.weights.source "s3") (ne (regexFind $endpoint $url) (regexFind $endpoint (include "omnireel.storeUrl" .))) -}}
{{- include "common.egressTo" (dict "peers" list "port" (include "omnireel.bucketPort" $url)) -}}
{{- end -}}
{{- end -}}

{{/* Egress to an address of the values. Takes a dict: url, port (0: that of the address), peers. */}}
{{- define "omnireel.egressToAddress" -}}
{{- if or .port .url -}}
{{- include "common.egressTo" (dict "peers" .peers "port" (.port | default (include "common.portOf" (.url | default "")))) -}}
{{- end -}}
{{- end -}}

{{/* Egress to the model services. */}}
{{- define "omnireel.egressToModels" -}}
- to:
  {{- range $component, $_ := include "omnireel.models" . | fromJson }}
    {{- include "common.peer" (dict "root" $ "component" $component) | nindent 4 }}
  {{- end }}
  ports: [{protocol: TCP, port: 7070}]
{{- end -}}

{{/* Egress to the collector of traces. Takes a dict: root, values. */}}
{{- define "omnireel.egressToOtlp" -}}
{{- include "omnireel.egressToAddress" (dict "url" .values.settings.otlp_endpoint "port" .root.Values.networkPolicies.otlpPort "peers" list) -}}
{{- end -}}

{{/*
Egress of the gateway to the web: webhooks, media by address, tokens' issuers. Only the ports of what may be in a
private network reach one; an address may be that of a Service, so which network is not known here.
*/}}
{{- define "omnireel.egressToWeb" -}}
{{- $public := list -}}
{{- $private := list -}}
{{- with .Values.gateway -}}
{{- if and .signingKey.existingSecret (dig "enabled" true .webhooks) -}}
{{- $ports := .webhooks.ports | default (list 443) -}}
{{- if .webhooks.allow_networks }}{{ $private = concat $private $ports }}{{ else }}{{ $public = concat $public $ports }}{{ end -}}
{{- end -}}
{{- if eq (.settings.fetch_urls | default "off") "on" -}}
{{- $ports := .settings.fetch_ports | default (list 443) -}}
{{- if .settings.fetch_networks }}{{ $private = concat $private $ports }}{{ else }}{{ $public = concat $public $ports }}{{ end -}}
{{- end -}}
{{- with .settings.oidc_issuer -}}
{{- $private = append $private (include "common.portOf" . | int) -}}
{{- end -}}
{{- end -}}
{{- with $private }}
- ports: {{- include "omnireel.tcpPorts" . | nindent 4 }}
{{- end }}
{{- with $public }}
- ports: {{- include "omnireel.tcpPorts" . | nindent 4 }}
  to:
    - ipBlock:
        cidr: 0.0.0.0/0
        except: [10.0.0.0/8, 100.64.0.0/10, 169.254.0.0/16, 172.16.0.0/12, 192.168.0.0/16]
    - ipBlock:
        cidr: ::/0
        except: ["fc00::/7", "fe80::/10"]
{{- end }}
{{- end -}}

{{/* Takes a list of ports. */}}
{{- define "omnireel.tcpPorts" -}}
{{- range . | uniq }}
- {protocol: TCP, port: {{ int . }}}
{{- end }}
{{- end -}}
