package relay_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"voicemail-relay/internal/relay"
	"voicemail-relay/schemas"
)

// corpus are the bodies of call.ended that the schemas' own tests hold.
func corpus(t testing.TB, verdict string) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", "schemas", "testdata", "call.ended", verdict, "*.json"))
	if err != nil || len(files) < 25 {
		t.Fatalf("%d files (%v)", len(files), err)
	}
	bodies := map[string][]byte{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		bodies[filepath.Base(f)] = b
	}
	return bodies
}

func TestParserAgreesWithTheSchema(t *testing.T) {
	for verdict, want := range map[string]bool{"valid": true, "invalid": false} {
		for name, body := range corpus(t, verdict) {
			_, err := relay.Parse(relay.Event{Body: body, Stored: time.Now()})
			if (err == nil) != want {
				t.Errorf("%s/%s: parser says %v", verdict, name, err)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, verdict := range []string{"valid", "invalid"} {
		for _, body := range corpus(f, verdict) {
			f.Add(body)
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		c, err := relay.Parse(relay.Event{Body: body, Stored: time.Now()})
		if err == nil {
			if relay.CheckID(c.Bot) != nil || relay.CheckID(c.Session) != nil {
				t.Errorf("ids %q and %q pass", c.Bot, c.Session)
			}
			if !json.Valid(c.Fields) || c.Fields[0] != '{' {
				t.Errorf("fields are no JSON object: %s", c.Fields)
			}
		}
		valid := schemas.Validate("call.ended", body)
		var structured struct {
			Data64 any `json:"data_base64"`
		}
		_ = json.Unmarshal(body, &structured)
		if len(body) <= relay.MaxBody && structured.Data64 == nil && (err == nil) != (valid == nil) { // neither can the schema see
			t.Errorf("parser says %v, schema says %v of %q", err, valid, body)
		}
	})
}
