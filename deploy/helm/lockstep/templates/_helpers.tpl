{{- define "lockstep.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- /* Room is left for the longest suffix, -probes or -migrate. */ -}}
{{- define "lockstep.fullname" -}}
{{- $name := include "lockstep.name" . -}}
{{- $whole := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) -}}
{{- .Values.fullnameOverride | default $whole | trunc 54 | trimSuffix "-" }}
{{- end }}

{{- /* What all pods of a release have in common. */ -}}
{{- define "lockstep.selector" -}}
app.kubernetes.io/name: {{ include "lockstep.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- /* The engines alone: a Job or a test is not counted as one, and no probe is asked of it. */ -}}
{{- define "lockstep.engineSelector" -}}
{{ include "lockstep.selector" . }}
app.kubernetes.io/component: engine
{{- end }}

{{- define "lockstep.labels" -}}
{{ include "lockstep.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "lockstep.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end }}
{{- end }}
{{- end }}

{{- define "lockstep.serviceAccountName" -}}
{{- $own := .Values.serviceAccount.create | ternary (include "lockstep.fullname" .) "default" -}}
{{- .Values.serviceAccount.name | default $own }}
{{- end }}

{{- /* Settings ------------------------------------------------------------------------------- */}}

{{- define "lockstep.secretsFolder" -}}/run/lockstep/secrets{{- end }}
{{- define "lockstep.automationSecretsFolder" -}}/run/lockstep/automation-secrets{{- end }}

{{- /* Section `nats` of somebody: of nats.engine, or of migrations.bus. Takes root and who. */ -}}
{{- define "lockstep.natsSettings" -}}
{{- $folder := include "lockstep.secretsFolder" .root -}}
{{- $files := dict "password" "password_file" "token" "token_file" "nkey" "nkey_seed_file" "credentials" "credentials_file" -}}
servers: {{ toJson .root.Values.nats.servers }}
inbox_prefix: {{ .who.inboxPrefix | quote }}
{{- if eq .who.method "password" }}
user: {{ .who.user | quote }}
{{- end }}
{{- with get $files .who.method }}
{{ . }}: {{ $folder }}/nats-{{ $.who.method }}
{{- end }}
{{- with .root.Values.nats.tls }}
{{- if .existingSecret }}
{{- if .caKey }}
tls_ca_file: {{ $folder }}/nats-ca.crt
{{- end }}
{{- if .certKey }}
tls_cert_file: {{ $folder }}/nats-tls.crt
tls_key_file: {{ $folder }}/nats-tls.key
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- /* Section `postgres` of a role. Takes root and who. */ -}}
{{- define "lockstep.postgresSettings" -}}
{{- $folder := include "lockstep.secretsFolder" .root -}}
{{- with .root.Values.postgres -}}
{{- $ca := empty .tls.existingSecret | ternary .tls.caFile (printf "%s/postgres-ca.crt" $folder) -}}
{{- $query := printf "sslmode=%s" .tls.mode -}}
{{- if and $ca (hasPrefix "verify-" .tls.mode) -}}
{{- $query = printf "%s&sslrootcert=%s" $query $ca -}}
{{- end -}}
dsn: {{ printf "postgresql://%s@%s:%d/%s?%s" $.who.user .host (int .port) .database $query | quote }}
password_file: {{ $folder }}/postgres-password
{{- end }}
{{- end }}

{{- /* What the chart itself says of the settings of the engine. */ -}}
{{- define "lockstep.ownSettings" -}}
nats:
  {{- include "lockstep.natsSettings" (dict "root" . "who" .Values.nats.engine) | nindent 2 }}
postgres:
  {{- include "lockstep.postgresSettings" (dict "root" . "who" .Values.postgres.engine) | nindent 2 }}
probes:
  host: {{ .Values.probes.host | quote }}
  port: {{ int .Values.probes.port }}
{{- if .Values.automationSecrets.existingSecret }}
secrets:
  folder: {{ include "lockstep.automationSecretsFolder" . }}
{{- end }}
{{- end }}

{{- /* lockstep.toml. Texts, numbers and lists look alike in JSON and in TOML. */ -}}
{{- define "lockstep.toml" -}}
{{- $own := include "lockstep.ownSettings" . | fromYaml -}}
{{- range $section, $values := mergeOverwrite (deepCopy .Values.settings) $own }}
[{{ $section }}]
{{- range $name, $value := $values }}
{{ $name }} = {{ toJson $value }}
{{- end }}
{{ end }}
{{- end }}

{{- /* Settings as variables: for pods that run before a ConfigMap of the chart is there. */ -}}
{{- define "lockstep.variables" -}}
{{- range $section, $values := . }}
{{- range $name, $value := $values }}
- name: LOCKSTEP_{{ upper $section }}__{{ upper $name }}
  {{- if kindIs "slice" $value }}
  value: {{ join "," $value | quote }}
  {{- else if kindIs "string" $value }}
  value: {{ $value | quote }}
  {{- else }}
  value: {{ toJson $value | quote }}
  {{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- /* Files with secrets, by reference ------------------------------------------------------- */}}

{{- /* Takes root and who. */ -}}
{{- define "lockstep.natsSecrets" -}}
{{- if ne .who.method "none" }}
- secret:
    name: {{ .who.existingSecret | quote }}
    items: [{key: {{ .who.key | quote }}, path: nats-{{ .who.method }}}]
{{- end }}
{{- with .root.Values.nats.tls }}
{{- if .existingSecret }}
- secret:
    name: {{ .existingSecret | quote }}
    items:
      {{- if .caKey }}
      - {key: {{ .caKey | quote }}, path: nats-ca.crt}
      {{- end }}
      {{- if .certKey }}
      - {key: {{ .certKey | quote }}, path: nats-tls.crt}
      - {key: {{ .keyKey | quote }}, path: nats-tls.key}
      {{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- /* Takes root and who. */ -}}
{{- define "lockstep.postgresSecrets" -}}
- secret:
    name: {{ .who.existingSecret | quote }}
    items: [{key: {{ .who.key | quote }}, path: postgres-password}]
{{- with .root.Values.postgres.tls }}
{{- if and .existingSecret (hasPrefix "verify-" .mode) }}
- secret:
    name: {{ .existingSecret | quote }}
    items: [{key: {{ .caKey | quote }}, path: postgres-ca.crt}]
{{- end }}
{{- end }}
{{- end }}

{{- /* Pods ----------------------------------------------------------------------------------- */}}

{{- /* What is said of each pod: nobody of rights, of the user of the image. */ -}}
{{- define "lockstep.pod" -}}
automountServiceAccountToken: false
# Kubernetes would set LOCKSTEP_PORT and the like, which look like settings.
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  # Files of Secrets belong to root; this group may read them.
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ quote . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "lockstep.container" -}}
image: {{ include "lockstep.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{- /* What a container with the settings of the engine has: an engine, or a test. */ -}}
{{- define "lockstep.engineContainer" -}}
{{ include "lockstep.container" . }}
env:
  - name: LOCKSTEP_CONFIG
    value: /etc/lockstep/lockstep.toml
  {{- with .Values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
volumeMounts:
  - {name: config, mountPath: /etc/lockstep, readOnly: true}
  - {name: secrets, mountPath: {{ include "lockstep.secretsFolder" . }}, readOnly: true}
  {{- if .Values.automationSecrets.existingSecret }}
  - {name: automation-secrets, mountPath: {{ include "lockstep.automationSecretsFolder" . }}, readOnly: true}
  {{- end }}
  - {name: tmp, mountPath: /tmp}
  {{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- define "lockstep.engineVolumes" -}}
- name: config
  configMap: {name: {{ include "lockstep.fullname" . }}}
- name: secrets
  projected:
    defaultMode: 0440
    sources:
      {{- include "lockstep.natsSecrets" (dict "root" . "who" .Values.nats.engine) | trim | nindent 6 }}
      {{- include "lockstep.postgresSecrets" (dict "root" . "who" .Values.postgres.engine) | trim | nindent 6 }}
{{- with .Values.automationSecrets.existingSecret }}
- name: automation-secrets
  secret: {secretName: {{ quote . }}, defaultMode: 0440}
{{- end }}
- name: tmp
  emptyDir: {sizeLimit: 64Mi}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /* Where pods may go: rules of a NetworkPolicy -------------------------------------------- */}}

{{- define "lockstep.egressToDns" -}}
- ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]
  {{- with .Values.networkPolicy.dnsTo }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{- define "lockstep.egressToPostgres" -}}
- ports: [{port: {{ int .Values.postgres.port }}, protocol: TCP}]
  {{- with .Values.networkPolicy.postgresTo }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{- define "lockstep.egressToNats" -}}
{{- $ports := list -}}
{{- range .Values.nats.servers -}}
{{- $ports = append $ports (regexFind ":[0-9]+$" . | trimPrefix ":" | default "4222") -}}
{{- end -}}
- ports:
    {{- range uniq $ports }}
    - {port: {{ . }}, protocol: TCP}
    {{- end }}
  {{- with .Values.networkPolicy.natsTo }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
