package relay

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"voicemail-relay/schemas"
)

func TestBodyFitsAndTextGivesWay(t *testing.T) {
	text := strings.Repeat("grüße ", 5000)
	v := &Verdict{Kind: KindReady, ID: "k", Call: Call{Bot: "st-1", Session: "s1", EndedAt: ended, Fields: []byte(`{"queue":"sales"}`)}, At: ended,
		Recordings: found.Recordings}
	v.transcribe([]Transcription{{ID: "1", Text: text}}, true)
	for _, limit := range []int{0, 100_000, 20_000, 5000, 1000, 600} {
		b := v.AppendBody(nil, limit)
		var e struct {
			Transcript, TranscriptStatus, FileURL string
			Call                                  map[string]string
		}
		if err := json.Unmarshal(b, &e); err != nil {
			t.Fatalf("limit %d: %v", limit, err)
		}
		whole := limit == 0 || limit >= 100_000
		if limit > 0 && len(b) > limit {
			t.Errorf("limit %d: %d bytes", limit, len(b))
		}
		if whole != (e.TranscriptStatus == "completed") || !whole && e.TranscriptStatus != "truncated" {
			t.Errorf("limit %d: status %s", limit, e.TranscriptStatus)
		}
		if e.Call["queue"] != "sales" || e.FileURL == "" || !strings.HasPrefix(text, e.Transcript) {
			t.Errorf("limit %d: the link, the publisher's fields and the beginning of the text must stay", limit)
		}
		if limit == 20_000 && len(b) < 19_000 {
			t.Errorf("limit %d: only %d bytes, want the text cut to what fits", limit, len(b))
		}
	}
}

// However its characters are written, as much of a text is told as fits.
func TestTextIsCutToWhatFits(t *testing.T) {
	const limit = 20_000
	for _, text := range []string{"word\n", `"`, `\`, "\x01", "\b\f\r\t", "\u2028", "\u2029", "\x7f<&>", "é", "😀", `all "of\" it` + "\n\x02é😀\u2028"} {
		v := &Verdict{Kind: KindReady, ID: "k", Call: aCall, At: ended, Requests: 1, Recordings: found.Recordings}
		v.transcribe([]Transcription{{ID: "1", Text: strings.Repeat(text, 100_000)}}, true)
		if b := v.AppendBody(nil, limit); len(b) > limit || len(b) < limit-6 {
			t.Errorf("%q over and over: %d bytes, want %d or nearly", text, len(b), limit)
		}
	}
}

// Messages without text give way like text.
func TestManyEmptyMessagesGiveWay(t *testing.T) {
	v := &Verdict{Kind: KindReady, ID: "k", Call: Call{Bot: "st-1", Session: "s1", EndedAt: ended, Fields: []byte(`{"queue":"sales"}`)}, At: ended, Requests: 1,
		Recordings: found.Recordings}
	var ts []Transcription
	for range 1500 {
		ts = append(ts, Transcription{ID: "ms-1", AuthorID: "u-1", AuthorType: "VOICEMAIL"})
	}
	v.transcribe(ts, true)
	if got := string(v.AppendBody(nil, 0)); !strings.Contains(got, `"transcriptStatus":"empty"`) {
		t.Errorf("without a limit it is told as %.200s", got)
	}
	b := v.AppendBody(nil, 20_000)
	if err := schemas.Validate("voicemail.ready", b); err != nil || len(b) > 20_000 {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	for _, want := range []string{`"transcriptStatus":"truncated"`, `"transcriptions":[]`, `"queue":"sales"`, `"fileUrl":"http`} {
		if !strings.Contains(string(b), want) {
			t.Errorf("%s is missing in %.300s", want, b)
		}
	}
}

func TestRawIsCutToWhatFits(t *testing.T) {
	raw := []byte(strings.Repeat("\x00\xff?", 30_000))
	v := malformed(&Delivery{Event: Event{Body: raw, Stored: ended, ID: "CALLS/1/1"}, Err: errNotJSON, Now: ended})
	for _, limit := range []int{0, 200_000, 100_000, 5000, 700} {
		b := v.AppendBody(nil, limit)
		var e struct {
			Raw          string
			RawSize      int
			RawTruncated bool
		}
		if err := json.Unmarshal(b, &e); err != nil {
			t.Fatalf("limit %d: %v", limit, err)
		}
		got, err := base64.StdEncoding.DecodeString(e.Raw)
		if err != nil || !strings.HasPrefix(string(raw), string(got)) {
			t.Errorf("limit %d: raw is not the beginning of the event: %v", limit, err)
		}
		cut := limit > 0 && limit < 200_000
		if cut && (len(b) > limit || !e.RawTruncated || e.RawSize != len(raw) || len(got) == 0) || !cut && (e.RawTruncated || e.RawSize != 0) {
			t.Errorf("limit %d: %d bytes, rawSize %d, rawTruncated %v", limit, len(b), e.RawSize, e.RawTruncated)
		}
	}
}

func TestMalformedEventsAreToldApart(t *testing.T) {
	a := malformed(&Delivery{Event: Event{Body: []byte("x"), ID: "CALLS/1/100"}, Err: errNotJSON})
	b := malformed(&Delivery{Event: Event{Body: []byte("x"), ID: "CALLS/2/200"}, Err: errNotJSON})
	if a.ID == b.ID {
		t.Errorf("the same garbage twice has one id %s, want two", a.ID)
	}
}

func TestSpokenOrder(t *testing.T) {
	ts := inOrder([]Transcription{{ID: "c", Text: "3", Spoken: 3}, {ID: "a", Text: "1", Spoken: 1, Language: ""}, {ID: "b2", Text: "2b", Spoken: 2, CreatedOn: "b", Language: "de"}, {ID: "b1", Text: "2a", Spoken: 2, CreatedOn: "a"}, {ID: "d", Spoken: 4, Language: "en"}})
	text, language := joined(ts)
	if text != "1\n2a\n2b\n3" || language != "de" {
		t.Errorf("got %q in %q, want the spoken order and the first language", text, language)
	}
}

func TestReplayIDs(t *testing.T) {
	c := Call{Bot: "b", Session: "s"}
	if c.verdictID() != c.Key() || len(c.Key()) != 26 {
		t.Errorf("the first verdict's id is %s, want the key of 26 characters", c.verdictID())
	}
	for k, id := range map[int]string{0: "abc", 1: "abc/r1", 12: "abc/r12"} {
		if got := Replays(id); got != k {
			t.Errorf("Replays(%s) = %d, want %d", id, got, k)
		}
	}
	if (Call{Bot: "a", Session: "bc"}).Key() == (Call{Bot: "ab", Session: "c"}).Key() {
		t.Errorf("ids run into one another in the key")
	}
}

func TestPatterns(t *testing.T) {
	rows := []struct {
		pattern, bot string
		want         bool
	}{
		{"st-1", "st-1", true}, {"st-1", "st-12", false}, {"st-*", "st-", true}, {"st-*", "xst-1", false}, {"*", "", true}, {"*-b*9", "st-b1-b29", true},
		{"*-b*9", "st-b1-b2", false}, {"a*a", "a", false}, {"a*b*c", "abbc", true}, {"a*b*c", "acb", false},
	}
	for _, r := range rows {
		if got := match(r.pattern, r.bot); got != r.want {
			t.Errorf("%s matches %s: %v, want %v", r.pattern, r.bot, got, r.want)
		}
	}
}

func TestEndIsNeverLaterThanStored(t *testing.T) {
	stored := ended.Add(time.Minute)
	for given, want := range map[string]time.Time{`"2026-11-22T10:00:00Z"`: ended, `"2026-11-22T12:00:00+02:00"`: ended, `"2026-11-22t10:00:00z"`: ended, `"2026-11-22t10:00:00.000Z"`: ended, `"2026-11-22T10:00:00,000Z"`: stored, `"2026-11-22T11:00:00Z"`: stored, `"yesterday"`: stored, `"0001-01-01T00:00:00Z"`: stored, `"0000-01-01T00:00:00+01:00"`: stored, `12`: stored, `null`: stored,
		`"2026-11-22T9:00:00Z"`: stored, `"2026-11-22T10:00:00+24:00"`: stored, `"2026-11-22T10:00:00+00:60"`: stored, `"2026-11-23T09:59:00.5+23:59"`: ended.Add(500 * time.Millisecond)} {
		c, err := Parse(Event{Body: []byte(`{"botId":"b","sessionId":"s","endedAt":` + given + `}`), Stored: stored})
		if err != nil || !c.EndedAt.Equal(want) {
			t.Errorf("endedAt %s is read as %s (%v), want %s", given, c.EndedAt, err, want)
		}
	}
}
