{{/* The name of all objects: the name of the release. */}}
{{- define "lockbox.name" -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- end }}

{{/* The labels that select pods: lockbox.selector with a list of the root and the component. */}}
{{- define "lockbox.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: lockbox
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/* The labels of an object, with the same arguments. */}}
{{- define "lockbox.labels" -}}
{{- $root := index . 0 -}}
{{ include "lockbox.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version }}
{{- end }}

{{/* The image, by digest if the values have one. */}}
{{- define "lockbox.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ printf "%s@%s" .repository .digest }}
{{- else -}}
{{ printf "%s:%s" .repository .tag }}
{{- end -}}
{{- end -}}
{{- end }}

{{/* The fields that all pods share. They meet the restricted Pod Security Standard. */}}
{{- define "lockbox.pod" -}}
serviceAccountName: {{ include "lockbox.name" . }}
automountServiceAccountToken: false
# Variables of Services can begin with LOCKBOX_ too, and Lockbox would warn about them.
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* The fields that all containers share. */}}
{{- define "lockbox.container" -}}
image: {{ include "lockbox.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}
