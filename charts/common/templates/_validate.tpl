{{/*
Stops where a variable would be set twice, which Helm 3 lets pass and Helm 4 cannot apply. Takes a dict:
own (YAML of what the chart sets), given (the list of the values), value (its key in values.yaml).
*/}}
{{- define "common.refuseDuplicateEnv" -}}
{{- $seen := dict -}}
{{- range .own | fromYamlArray -}}
{{- $_ := set $seen .name "the chart" -}}
{{- end -}}
{{- range .given -}}
{{- if hasKey $seen .name -}}
{{- fail (printf "%s sets %s, which %s sets already: leave one of them out." $.value .name (get $seen .name)) -}}
{{- end -}}
{{- $_ := set $seen .name (printf "%s itself" $.value) -}}
{{- end -}}
{{- end -}}
