package trace

import "testing"

func TestTracesAreMadeWhereTheVariablesAskForThem(t *testing.T) {
	const endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318"
	rows := []struct {
		name    string
		environ []string
		wanted  bool
		wrong   bool
	}{
		{"nothing", []string{"HOME=/"}, false, false},
		{"an endpoint", []string{endpoint}, true, false},
		{"an endpoint for traces", []string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://localhost:4318/v1/traces"}, true, false},
		{"an empty endpoint", []string{"OTEL_EXPORTER_OTLP_ENDPOINT= "}, false, false},
		{"the exporter alone, at its default endpoint", []string{"OTEL_TRACES_EXPORTER=otlp"}, true, false},
		{"no exporter", []string{endpoint, "OTEL_TRACES_EXPORTER=none"}, false, false},
		{"another exporter", []string{endpoint, "OTEL_TRACES_EXPORTER=zipkin"}, false, true},
		{"disabled", []string{endpoint, "OTEL_SDK_DISABLED=True"}, false, false},
		{"not disabled", []string{endpoint, "OTEL_SDK_DISABLED=false"}, true, false},
		{"metrics alone", []string{"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=http://localhost:4318", "OTEL_SERVICE_NAME=x"}, false, false},
	}
	for _, row := range rows {
		if wanted, err := Wanted(row.environ); wanted != row.wanted || (err != nil) != row.wrong {
			t.Errorf("%s: wanted %t, error %v, want %t, an error: %t", row.name, wanted, err, row.wanted, row.wrong)
		}
	}
}
