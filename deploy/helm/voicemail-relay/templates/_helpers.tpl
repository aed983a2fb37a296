{{- define "voicemail-relay.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "voicemail-relay.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- $name := include "voicemail-relay.name" . }}
{{- if contains $name .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{- define "voicemail-relay.selectorLabels" -}}
app.kubernetes.io/name: {{ include "voicemail-relay.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "voicemail-relay.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "voicemail-relay.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "voicemail-relay.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "voicemail-relay.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "voicemail-relay.image" -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}

{{- define "voicemail-relay.secret" -}}
{{- default (include "voicemail-relay.fullname" .) .Values.secret.existingSecret }}
{{- end }}

{{/* The settings file: what is given, and what the chart alone knows. */}}
{{- define "voicemail-relay.config" -}}
{{- $c := deepCopy .Values.config }}
{{- $nats := default dict $c.nats }}
{{- $own := default dict $c.smartassist }}
{{- if $own.app_id }}
{{- $_ := set $own "app_secret_file" (printf "/run/secrets/voicemail-relay/%s" .Values.secret.appSecretKey) }}
{{- else if $c.accounts }}
{{- $own = omit $own "base_url" "app_id" }}
{{- else }}
{{- fail "config.smartassist.app_id is required: the app's client id, such as cs-…" }}
{{- end }}
{{- if not (or .Values.secret.existingSecret .Values.secret.data) }}
{{- fail "secret.existingSecret is required: the name of a Secret with the app's client secret; or secret.data" }}
{{- end }}
{{- if and $own.app_id .Values.secret.data (not .Values.secret.existingSecret) (not (hasKey .Values.secret.data .Values.secret.appSecretKey)) }}
{{- fail (printf "secret.data has no %s, which secret.appSecretKey names" .Values.secret.appSecretKey) }}
{{- end }}
{{- if .Values.natsCredentials.existingSecret }}
{{- $_ := set $nats "credentials_file" (printf "/run/secrets/nats-credentials/%s" .Values.natsCredentials.key) }}
{{- end }}
{{- if .Values.natsTLS.existingSecret }}
{{- $tls := dict "ca_file" "/run/secrets/nats-tls/ca.crt" }}
{{- if .Values.natsTLS.clientCertificate }}
{{- $tls = merge $tls (dict "cert_file" "/run/secrets/nats-tls/tls.crt" "key_file" "/run/secrets/nats-tls/tls.key") }}
{{- end }}
{{- $_ := set $nats "tls" $tls }}
{{- end }}
{{- $_ := set $c "nats" $nats }}
{{- if $own }}
{{- $_ := set $c "smartassist" $own }}
{{- else }}
{{- $c = omit $c "smartassist" }}
{{- end }}
{{- $_ := set $c "http" (dict "addr" ":8088") }}
{{- $_ := set $c "shutdown_grace" (printf "%ds" (int .Values.shutdownGraceSeconds)) }}
{{- toYaml $c }}
{{- end }}

{{/* The port of a URL, its scheme's own when it names none. */}}
{{- define "voicemail-relay.port" -}}
{{- $url := . }}
{{- if not (contains "://" $url) }}
{{- $url = printf "nats://%s" $url }}
{{- end }}
{{- $u := urlParse $url }}
{{- $port := regexFind ":[0-9]+$" $u.host | trimPrefix ":" }}
{{- default (get (dict "nats" "4222" "tls" "4222" "ws" "80" "wss" "443" "https" "443" "http" "80") $u.scheme) $port }}
{{- end }}

{{/* Names that the relay gives to what it has in NATS. */}}
{{- define "voicemail-relay.prefix" -}}
{{- dig "nats" "prefix" "" .Values.config }}
{{- end }}

{{- define "voicemail-relay.callsStream" -}}
{{- default (printf "%sCALLS" (include "voicemail-relay.prefix" .)) (dig "calls" "stream" "" .Values.config) }}
{{- end }}

{{- define "voicemail-relay.durable" -}}
{{- include "voicemail-relay.prefix" . }}{{ dig "calls" "durable" "voicemail-relay" .Values.config }}
{{- end }}
