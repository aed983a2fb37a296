package relay

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestReplayReadsAsTheCallThatItWas(t *testing.T) {
	stored := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	rows := []struct{ name, body string }{
		{"plain fields, byte for byte", `{"botId":"st-1","sessionId":"s1","caller":"+1","n":1.0e2,"deep" : {"a":[1, 2 ,"\u00e9"]}}`},
		{"no fields", `{"streamId":"st-1","sessionId":"s1"}`},
		{"fields that look like an envelope", `{"specversion":"1.0","id":"1","source":"/x","type":"t","data":{"botId":"st-1","sessionId":"s1","specversion":"1.0","id":"2","source":"/y","type":"u","data":{"botId":"st-9","sessionId":"s9"}}}`},
		{"no room for endedAt", `{"botId":"st-1","sessionId":"s1","x":"` + strings.Repeat("y", MaxBody-len(`{"botId":"st-1","sessionId":"s1","x":""}`)) + `"}`},
		{"names that JSON escapes", `{"botId":"st-1","sessionId":"s1","a\"b<>\u2028":1}`},
	}
	for _, row := range rows {
		c, err := Parse(Event{Body: []byte(row.body), Stored: stored})
		if err != nil {
			t.Fatalf("%s: %v", row.name, err)
		}
		for k := range 3 {
			c.Replay = k
			v := &Verdict{Kind: KindFailed, Reason: ReasonRejected, ID: c.verdictID(), Call: c, At: stored, FirstSeen: stored, Error: "no"}
			r, err := ReadLetter(v.ID, nil, v.AppendBody(nil, 0)).Replay()
			if err != nil {
				t.Errorf("%s: %v", row.name, err)
				continue
			}
			again, err := Parse(Event{Body: r.Body, Stored: stored.Add(time.Hour), Header: map[string][]string{ReplayHeader: {string(rune('0' + r.K))}}})
			if err != nil || again.Bot != c.Bot || again.Session != c.Session || string(again.Fields) != string(c.Fields) {
				t.Errorf("%s: replayed as %.200s, %v", row.name, r.Body, err)
			}
			if again.verdictID() != r.ID || r.ID != ReplayID(c.Key(), k+1) {
				t.Errorf("%s: replay %d asks for verdict %s, and says %s", row.name, k, again.verdictID(), r.ID)
			}
			if want := stored; !again.EndedAt.Equal(want) && row.name != "no room for endedAt" {
				t.Errorf("%s: ended at %s, want when it was first seen, %s", row.name, again.EndedAt, want)
			}
		}
	}
}

func TestLettersThatCannotBeReplayed(t *testing.T) {
	key := Call{Bot: "st-1", Session: "s1"}.Key()
	rows := []struct {
		name, id, body string
		want           error
	}{
		{"its own", key, `{"botId":"st-1","sessionId":"s1","reason":"rejected","call":{}}`, nil},
		{"a replay's", key + "/r7", `{"botId":"st-1","sessionId":"s1","reason":"rejected","call":{}}`, nil},
		{"another session's id", key, `{"botId":"st-1","sessionId":"s2","reason":"rejected","call":{}}`, ErrForeign},
		{"no ids", key, `{"reason":"rejected","call":{}}`, ErrForeign},
		{"ids that are none", key, `{"botId":"../x","sessionId":"s1","reason":"rejected","call":{}}`, ErrForeign},
		{"no JSON", key, `hello`, ErrForeign},
		{"no fields", key, `{"botId":"st-1","sessionId":"s1","reason":"rejected"}`, ErrUnwritten},
		{"empty bytes", "x", `{"reason":"malformed","raw":""}`, nil},
		{"no bytes", "x", `{"reason":"malformed"}`, ErrTruncated},
		{"the beginning of its bytes", "x", `{"reason":"malformed","raw":"aGVsbG8=","rawSize":100,"rawTruncated":true}`, ErrTruncated},
	}
	for _, row := range rows {
		if _, err := ReadLetter(row.id, nil, []byte(row.body)).Replay(); !errors.Is(err, row.want) {
			t.Errorf("%s: %v, want %v", row.name, err, row.want)
		}
	}
}

func TestLetterIsRememberedByItsVerdictOrANewerOne(t *testing.T) {
	key := Call{Bot: "st-1", Session: "s1"}.Key()
	const body = `{"botId":"st-1","sessionId":"s1","reason":"rejected","call":{}}`
	rows := []struct {
		letter, record       string // ids; "": no record
		remembered, outdated bool
	}{
		{key, "", false, false},
		{key, key, true, false},
		{key, key + "/r1", true, true},
		{key + "/r1", key, false, false},
		{key + "/r10", key + "/r9", false, false},
		{key + "/r9", key + "/r10", true, true},
	}
	for _, row := range rows {
		l := ReadLetter(row.letter, nil, []byte(body))
		rec := Record{ID: row.record}
		if got := l.Remembered(rec, row.record != ""); got != row.remembered {
			t.Errorf("letter %s, record %q: remembered %v", row.letter, row.record, got)
		}
		if got := l.Outdated(rec); got != row.outdated {
			t.Errorf("letter %s, record %q: outdated %v", row.letter, row.record, got)
		}
	}
	if l := ReadLetter("x", nil, []byte(`{"reason":"malformed","raw":""}`)); !l.Remembered(Record{}, false) {
		t.Error("a malformed event has no record: nothing holds its letter")
	}
}

func TestMaskedLettersTellNamesAlone(t *testing.T) {
	got := string(Masked([]byte(`{"botId":"st-1","error":"no","call":{"caller":"+1","crm":{"a":"b"}},"raw":"aGVsbG8=","rawSize":5,"transcript":"hi","fileUrl":"https://x"}`)))
	want := `{"botId":"st-1","error":"no","call":{"caller":"***","crm":"***"},"raw":"***","rawSize":5,"transcript":"***","fileUrl":"***"}`
	if got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if got := string(Masked([]byte("+15550100"))); got != mask {
		t.Errorf("what is no object is shown as %s", got)
	}
}
