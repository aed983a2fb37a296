package main

import (
	"strings"
	"testing"
)

// canaries are never to stand in a log or metric.
var canaries = []string{testSecret, "eyJ", "canary-transcript", "canary-signature", "+15550100", "canary-token"}

func (w *world) checkCanary() {
	w.private("logs or metrics", w.log.String()+metricsText(w.t, w.daemon))
}

// private holds a text to telling nothing that is not for everybody.
func (w *world) private(where, text string) { w.t.Helper(); private(w.t, where, text) }

func private(t *testing.T, where, text string) {
	t.Helper()
	for _, c := range canaries {
		if i := strings.Index(text, c); i >= 0 {
			t.Errorf("%q stands in %s: …%s…", c, where, text[max(0, i-200):min(len(text), i+40)])
		}
	}
}
