package relay

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzObject holds our walk through a JSON object against encoding/json's reading of it.
func FuzzObject(f *testing.F) {
	many := make([]string, 3*manyFields)
	for i := range many {
		many[i] = fmt.Sprintf(`"f%d":%d`, i%(2*manyFields), i)
	}
	for _, seed := range []string{`{}`, ` { } `, `{"a":1}`, `{"a":1,"a":2}`, "{\"a\" :\t[1, {\"b\":\"}\"}] , \"c\\u0022\":\"\\\\\"}\n", `{"a":-1.5e+7,"b":true,"c":null}`, `{"a":1} x`, `{"a":1}{}`, `[1]`, `{"a":}`,
		`{"a":"\ud800"}`, `{"":{}}`, `nul`, `{"a":1`, "{" + strings.Join(many, ",") + "}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if !utf8.Valid(b) { // Parse refuses it before
			return
		}
		o, err := parseObject(b)
		var want map[string]json.RawMessage
		wrong := json.Unmarshal(b, &want)
		if (err == nil) != (wrong == nil && want != nil) {
			t.Fatalf("%q: %v, where encoding/json says %v", b, err, wrong)
		}
		if err != nil {
			return
		}
		if len(o) != len(want) {
			t.Fatalf("%q: %d fields, want %d", b, len(o), len(want))
		}
		for _, f := range o {
			if !bytes.Equal(f.raw, want[f.name]) {
				t.Errorf("%q: %q is %q, want %q", b, f.name, f.raw, want[f.name])
			}
			var text string
			if json.Unmarshal(f.raw, &text) == nil && o.text(f.name) != text {
				t.Errorf("%q: %q is the text %q, want %q", b, f.name, o.text(f.name), text)
			}
		}
	})
}
