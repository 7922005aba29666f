{{- define "whiteboard-operator.labels" -}}
app.kubernetes.io/name: whiteboard-operator
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | quote }}
{{- end }}

{{- define "whiteboard-operator.selector" -}}
app.kubernetes.io/name: whiteboard-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "whiteboard-operator.name" -}}
{{- if eq .Release.Name "whiteboard-operator" -}}
whiteboard-operator
{{- else -}}
{{- printf "%s-whiteboard-operator" .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end }}
