{{/* The name of one such server. Kubernetes adds up to eleven characters to that of a StatefulSet and makes it a label, which holds 63. Takes a dict: root, component. */}}
{{- define "omnireel.devName" -}}
{{ include "common.fullname" .root | trunc (sub 51 (len .component) | int) | trimSuffix "-" }}-{{ .component }}
{{- end -}}

{{/* One small server with a volume and a Service. Takes a dict: root, component, image, user, port, container (YAML of command, args, env), data (where its volume goes). */}}
{{- define "omnireel.devServer" -}}
{{- $dev := .root.Values.dev -}}
{{- $labels := pick . "root" "component" -}}
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: {{ include "omnireel.devName" . }}
  labels: {{- include "common.labels" $labels | nindent 4 }}
spec:
  serviceName: {{ include "omnireel.devName" . }}
  replicas: 1
  selector:
    matchLabels: {{- include "common.selector" $labels | nindent 6 }}
  template:
    metadata:
      labels: {{- include "common.labels" $labels | nindent 8 }}
    spec:
      serviceAccountName: {{ include "common.fullname" .root }}-dev
      automountServiceAccountToken: false
      enableServiceLinks: false
      securityContext: {{- include "common.podSecurity" .user | nindent 8 }}
      {{- with .root.Values.images.pullSecrets }}
      imagePullSecrets:
        {{- range . }}
        - name: {{ . }}
        {{- end }}
      {{- end }}
      containers:
        - name: {{ .component }}
          image: {{ .image }}
          imagePullPolicy: {{ .root.Values.images.pullPolicy }}
          securityContext: {{- include "common.containerSecurity" . | nindent 12 }}
          {{- .container | nindent 10 }}
          ports: [{name: server, containerPort: {{ .port }}}]
          readinessProbe:
            tcpSocket: {port: server}
            periodSeconds: 2
          resources:
            requests: {cpu: 50m, memory: 64Mi}
            limits: {memory: 512Mi}
          volumeMounts:
            - {name: data, mountPath: {{ .data }}}
            - {name: tmp, mountPath: /tmp}
            - {name: run, mountPath: /var/run/postgresql}
      volumes:
        - name: tmp
          emptyDir: {}
        - name: run
          emptyDir: {}
        {{- if eq $dev.storageClass "none" }}
        - name: data
          emptyDir: {sizeLimit: {{ $dev.size }}}
        {{- end }}
  {{- if ne $dev.storageClass "none" }}
  volumeClaimTemplates:
    - metadata: {name: data}
      spec:
        accessModes: [ReadWriteOnce]
        {{- with $dev.storageClass }}
        storageClassName: {{ . }}
        {{- end }}
        resources: {requests: {storage: {{ $dev.size }}}}
  {{- end }}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ include "omnireel.devName" . }}
  labels: {{- include "common.labels" $labels | nindent 4 }}
spec:
  selector: {{- include "common.selector" $labels | nindent 4 }}
  ports:
    - {name: server, port: {{ .port }}, targetPort: server}
{{- end -}}
