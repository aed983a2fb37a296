package schemas

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

func TestCorpus(t *testing.T) {
	for _, name := range Names() {
		for verdict, least := range map[string]int{"valid": 5, "invalid": 8} {
			files, err := filepath.Glob(filepath.Join("testdata", name, verdict, "*.json"))
			if err != nil || len(files) < least {
				t.Fatalf("%d %s files for %s (%v), want at least %d", len(files), verdict, name, err, least)
			}
			for _, file := range files {
				body, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if err := Validate(name, body); (err == nil) != (verdict == "valid") {
					t.Errorf("%s: got %v, want it %s", file, err, verdict)
				}
			}
		}
	}
}

func TestExamplesAreValid(t *testing.T) {
	for _, name := range Names() {
		doc, err := JSON(name)
		if err != nil {
			t.Fatal(err)
		}
		var s struct{ Examples []json.RawMessage }
		if err := json.Unmarshal(doc, &s); err != nil || len(s.Examples) == 0 {
			t.Fatalf("%s has %d examples (%v)", name, len(s.Examples), err)
		}
		for i, e := range s.Examples {
			if err := Validate(name, e); err != nil {
				t.Errorf("%s: example %d: %v", name, i, err)
			}
		}
	}
}

func TestErrorsQuoteNothing(t *testing.T) {
	const canary = "canary-5550100"
	for _, body := range []string{`"` + canary + `"`, `{"botId":"` + canary + ` ","sessionId":["` + canary + `"]}`, `{"` + canary, `{"transcriptStatus":"` + canary + `","requests":"` + canary + `","fileUrl":{"a":"` + canary + `"},"reason":"` + canary + `","raw":"` + canary + `%"}`} {
		for _, name := range Names() {
			if err := Validate(name, []byte(body)); err == nil || strings.Contains(err.Error(), canary) {
				t.Errorf("%s says %v, want an error without the event's words", name, err)
			}
		}
	}
}

func TestUnknownNamesListTheKnown(t *testing.T) {
	_, err := JSON("voicemail.sung")
	if err == nil || !strings.Contains(err.Error(), "voicemail.failed") {
		t.Errorf("got %v, want the names that there are", err)
	}
	if Validate("voicemail.sung", []byte("{}")) == nil {
		t.Errorf("an unknown event is valid")
	}
}

// TestAsyncAPIRefersToWhatIsThere follows every $ref.
func TestAsyncAPIRefersToWhatIsThere(t *testing.T) {
	var doc map[string]any
	if err := yaml.Unmarshal(AsyncAPI(), &doc); err != nil {
		t.Fatal(err)
	}
	if doc["asyncapi"] != "3.1.0" {
		t.Errorf("version %v, want 3.1.0", doc["asyncapi"])
	}
	refs := 0
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok {
				refs++
				follow(t, doc, ref)
			}
			for _, child := range v {
				walk(child)
			}
		case []any:
			for _, child := range v {
				walk(child)
			}
		}
	}
	walk(doc)
	if refs < 20 {
		t.Errorf("%d references, want those of four channels, operations and messages", refs)
	}
	for _, name := range Names() {
		if !strings.Contains(string(AsyncAPI()), "address: "+name+"\n") {
			t.Errorf("no channel for %s", name)
		}
	}
}

func follow(t *testing.T, doc map[string]any, ref string) {
	t.Helper()
	if file, ok := strings.CutPrefix(ref, "./"); ok {
		if _, err := JSON(strings.TrimSuffix(file, ".json")); err != nil {
			t.Errorf("%s: %v", ref, err)
		}
		return
	}
	var at any = doc
	for _, part := range strings.Split(strings.TrimPrefix(ref, "#/"), "/") {
		m, _ := at.(map[string]any)
		if at = m[part]; at == nil {
			t.Errorf("%s leads nowhere", ref)
			return
		}
	}
}
