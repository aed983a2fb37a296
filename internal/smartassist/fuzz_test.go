package smartassist

import (
	"bytes"
	"encoding/json"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"voicemail-relay/internal/relay"
)

func FuzzRead(f *testing.F) {
	for _, row := range corpus {
		f.Add(200, corpusFile(f, row.file), "")
	}
	for _, body := range []string{"[]", "null", `"x"`, "1", "true", "[" + readyBody + "]", ""} {
		f.Add(200, []byte(body), "")
	}
	for _, status := range []int{204, 304, 400, 401, 404, 405, 429, 500, 503} {
		f.Add(status, []byte(msg("Invalid StreamId session not found rate limit")), "7")
	}
	f.Add(400, []byte(`{"errors":[null,"x",{"error":"session","code":-1.5e9}],"error":{"message":[1]},"code":"a b"}`), "Sun, 22 Nov 2026 11:24:42 GMT")
	f.Add(200, []byte(`{"voicemail recording":[{"fileUrl":"https://media.example.com/x/voicemail%F0one.wav?n=1"}]}`), "")
	f.Fuzz(func(t *testing.T, status int, body []byte, retry string) {
		r := read(status, http.Header{"Retry-After": {retry}}, body, testNow)
		if !slices.Contains(Results(), r.label()) {
			t.Fatalf("got %q, want one of %v", r.label(), Results())
		}
		if unreadable := r.label() == "unreadable"; unreadable && json.Valid(body) || status == 200 && !unreadable && !json.Valid(body) {
			t.Fatalf("got %s, want it for what is no JSON alone", r.label())
		}
		if r.err != nil {
			if r.err.Kind < relay.Transient || r.err.Kind > relay.Limited || r.err.Text == "" || r.err.Status != status {
				t.Fatalf("got %+v, want a closed kind, a text and the status", r.err)
			}
			if r.err.RetryAfter < 0 || r.err.RetryAfter > maxRetryAfter || r.err.RetryAfter > 0 && r.brief {
				t.Fatalf("got a wait of %v, quick retry %v", r.err.RetryAfter, r.brief)
			}
			if !utf8.ValidString(r.err.Text) || len(r.err.Text) > 200 {
				t.Fatalf("got %q, want a short line", r.err.Text)
			}
			return
		}
		if !slices.Contains([]string{"", "success", "call_in_progress", "media_in_progress", "media_unavailable", "other", "no_content", "not_found"}, r.voicemail.Status) {
			t.Fatalf("got status %q, want a known one", r.voicemail.Status)
		}
		for _, rec := range r.voicemail.Recordings {
			if strings.TrimSpace(rec.FileURL) == "" || !utf8.ValidString(rec.FileURL) || !utf8.ValidString(rec.FileName) {
				t.Fatalf("got %+v, want a link, and UTF-8", rec)
			}
		}
		for _, m := range r.voicemail.Transcriptions {
			if !utf8.ValidString(m.Text) || m.Spoken < 0 && m.CreatedOn == "" {
				t.Fatalf("got %+v, want UTF-8, and a time that stands somewhere", m)
			}
		}
	})
}

// The cursor has to see what encoding/json sees, whatever the JSON.
func FuzzCursor(f *testing.F) {
	for _, row := range corpus {
		f.Add(corpusFile(f, row.file))
	}
	f.Add([]byte(` { "a" : [ 1 , -2.5e+3,true , null,"x\\\"" , [ ] , { } ] , "\u0061":"\ud800", "b" : { "c":[{"d" :"é"}]} , "b":"again" } `))
	f.Add([]byte("{\"\xff\":\"\xff\\n\"}"))
	f.Fuzz(func(t *testing.T, body []byte) {
		c, ok := objectIn(body)
		var want map[string]any
		d := json.NewDecoder(bytes.NewReader(body))
		d.UseNumber()
		valid := json.Valid(body) && d.Decode(&want) == nil && want != nil
		if ok != valid {
			t.Fatalf("got an object %v, want %v", ok, valid)
		}
		if !ok {
			return
		}
		if got := c.tree(); !reflect.DeepEqual(got, any(want)) {
			t.Errorf("got  %#v\nwant %#v", got, want)
		}
		if len(bytes.TrimSpace(body[c.i:])) != 0 {
			t.Errorf("got a cursor at %d of %d, want it at the end", c.i, len(body))
		}
		c, _ = objectIn(body)
		if got := c.skip(); !bytes.Equal(got, bytes.Trim(body, " \t\r\n")) {
			t.Errorf("got %q passed, want all of %q", got, body)
		}
	})
}

// tree reads a value with the cursor's own means.
func (c *cursor) tree() any {
	switch k := c.kind(); k {
	case '{':
		m := map[string]any{}
		for key := range c.fields() {
			k := string([]rune(string(key))) // invalid UTF-8 as encoding/json has it
			m[k] = c.tree()
		}
		return m
	case '[':
		l := []any{}
		for c.enter('['); c.more(); {
			l = append(l, c.tree())
		}
		return l
	case '"':
		return c.text()
	case 't', 'f':
		return string(c.skip()) == "true"
	case 'n':
		c.skip()
		return nil
	default:
		return json.Number(c.word())
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"0", "7", "1.5", "-1", "1e9", "Inf", "NaN", "", "soon", "Sun, 22 Nov 2026 11:25:42 GMT", "Sunday, 22-Nov-26 11:25:42 GMT"} {
		f.Add(s, int64(1795346682))
	}
	f.Fuzz(func(t *testing.T, value string, now int64) {
		if got := retryAfter(value, time.Unix(now, 0)); got < 0 || got > maxRetryAfter {
			t.Errorf("got %v, want 0 to %v", got, maxRetryAfter)
		}
	})
}

func FuzzExpiresAt(f *testing.F) {
	for _, s := range []string{sampleLink, "?Policy=eyJTdGF0ZW1lbnQiOlt7IkNvbmRpdGlvbiI6eyJEYXRlTGVzc1RoYW4iOnsiQVdTOkVwb2NoVGltZSI6MTc5NTM0NjY4Mn19fV19", "?se=2026-11-22T11:24Z",
		"?X-Amz-Date=20261122T112442Z&X-Amz-Expires=2147483647", "?Expires=-1", "?e=%zz;1&&=&#", "?e=9223372036854775807"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, link string) {
		at := expiresAt(link)
		if at.IsZero() {
			return
		}
		if at.Year() < 2000 || at.Year() > 2200 || at.Location() != time.UTC {
			t.Errorf("got %v, want a time from 2000 to 2200, in UTC", at)
		}
		if _, err := at.MarshalJSON(); err != nil {
			t.Errorf("got %v, want a time that JSON can hold", err)
		}
	})
}

func FuzzValid(f *testing.F) {
	for _, row := range corpus {
		f.Add(corpusFile(f, row.file))
	}
	for _, s := range []string{"", " ", "1", "-", "-0", "01", "1.", "1.5e", "1E+5 ", `"\u12`, `"\u12aG"`, `"\x"`, "\"\x01\"", "[", "[1,]", "[1 2]", `{"a"}`, `{"a":1,}`, `{1:2}`, `{"a":tru}`, "nul", "[[]", "{}{}", "\xff",
		strings.Repeat("[", mostNested) + strings.Repeat("]", mostNested), strings.Repeat("[", mostNested+1) + strings.Repeat("]", mostNested+1)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if got, want := valid(body), json.Valid(body); got != want {
			t.Fatalf("%q: %v, want %v", body, got, want)
		}
	})
}
