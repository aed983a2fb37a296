package smartassist

import (
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"voicemail-relay/internal/relay"
)

const (
	media      = "https://media.example.com/"
	sampleLink = media + "api/getMediaStream/voicemail/f-0c1e7b9a-0000-4000-8000-5c2f6f1d0001.wav?e=1795346682&n=8471320915&s=IjY3YWEzODAyNmUxOTljOGY0NzBlMDAwMSI$$"
)

// The corpus: each file under testdata is a 200's body, and stands here once.
var corpus = []struct {
	file string
	told string
	want relay.Voicemail
}{
	{"published_sample", "ready", relay.Voicemail{Status: "success",
		Recordings: []relay.Recording{{FileName: "voicemail_67aa38026e199c8f470e0001.wav", FileURL: sampleLink, ExpiresAt: time.Unix(1795346682, 0).UTC()}},
		Transcriptions: []relay.Transcription{{ID: "ms-…", Text: "Hi, this is voicemail testing.", Language: "en", CreatedOn: "2025-02-11T13:57:42.032Z",
			AuthorID: "u-…", AuthorType: "VOICEMAIL", Spoken: 1739282262039}}}},
	{"underscored", "ready", relay.Voicemail{Status: "success",
		Recordings: []relay.Recording{{FileName: "a.wav", FileURL: media + "a.wav?e=1795346682", ExpiresAt: time.Unix(1795346682, 0).UTC()}}}},
	{"both_spellings", "ready", relay.Voicemail{Status: "success", Recordings: []relay.Recording{{FileName: "a.wav", FileURL: media + "a.wav"}}}},
	{"first_spelling_without_link", "ready", relay.Voicemail{Status: "success", Recordings: []relay.Recording{{FileName: "b.wav", FileURL: media + "b.wav"}}}},
	{"object_for_list", "ready", relay.Voicemail{Status: "success",
		Recordings: []relay.Recording{{FileName: "voicemail one.wav", FileURL: media + "x/voicemail%20one.wav?n=1"}}}},
	{"astray_types", "ready", relay.Voicemail{
		Recordings:     []relay.Recording{{FileName: "yes.wav", FileURL: media + "yes.wav"}},
		Transcriptions: []relay.Transcription{{ID: "9007199254740993", Text: "astray", CreatedOn: "1739282262039", Spoken: 1739282262039}}}},
	{"several", "ready", relay.Voicemail{Status: "success",
		Recordings: []relay.Recording{{FileName: "one.wav", FileURL: media + "1"}, {FileName: "two.wav", FileURL: media + "2"}},
		Transcriptions: []relay.Transcription{
			{ID: "ms-2", Text: "second\nline", Language: "de", CreatedOn: "2025-02-11T13:57:44.000Z", AuthorID: "u-1", AuthorType: "VOICEMAIL", Spoken: 1739282264000},
			{ID: "ms-1", Text: "first", CreatedOn: "2025-02-11T13:57:42.032Z", Spoken: 1739282262032}}}},
	{"empty_message", "ready", relay.Voicemail{Status: "success", Recordings: []relay.Recording{{FileName: "a.wav", FileURL: media + "a.wav"}},
		Transcriptions: []relay.Transcription{{}}}},
	{"escapes", "ready", relay.Voicemail{Status: "success",
		Recordings:     []relay.Recording{{FileName: `a\b "c".wav`, FileURL: media + "a.wav?a=1&b=2&s=x%2Fy+z$$"}},
		Transcriptions: []relay.Transcription{{Text: "café 😀 <b>&amp;</b>\nnext } ] , \" \\"}}}},
	{"empty_lists", "nothing: success", relay.Voicemail{Status: "success"}},
	{"media_in_progress", "nothing: media_in_progress", relay.Voicemail{Status: "media_in_progress"}},
	{"unknown_status", "nothing: other", relay.Voicemail{Status: "other"}},
	{"empty_object", "nothing: ", relay.Voicemail{}},
	{"lists_are_objects", "nothing: success", relay.Voicemail{Status: "success", Transcriptions: []relay.Transcription{{ID: "ms-1"}}}},
	{"transcription_alone", "ready", relay.Voicemail{Status: "success", Recordings: []relay.Recording{{FileName: "a.wav", FileURL: media + "a.wav"}},
		Transcriptions: []relay.Transcription{{ID: "ms-1", Text: "Hi, this is voicemail testing.", Language: "en"}}}},
	{"failed", "rejected: rejected", relay.Voicemail{}},
	{"failed_with_link", "ready", relay.Voicemail{Status: "other", Recordings: []relay.Recording{{FileName: "a.wav", FileURL: media + "a.wav"}}}},
	{"not_an_object", "nothing: other", relay.Voicemail{Status: "other"}},
	{"cut", "transient: unreadable", relay.Voicemail{}},
	{"page", "transient: unreadable", relay.Voicemail{}},
	{"two_objects", "transient: unreadable", relay.Voicemail{}},
}

func TestCorpus(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) != len(corpus) {
		t.Errorf("got %d files (%v), want %d: each has a row", len(files), err, len(corpus))
	}
	for _, row := range corpus {
		t.Run(row.file, func(t *testing.T) {
			body := corpusFile(t, row.file)
			srv := serve(t, answer(http.StatusOK, string(body)))
			got, requests, err := client(t, config(srv.URL)).Voicemail(t.Context(), testCall, yes)
			if told(got, err) != row.told || requests != 1 {
				t.Fatalf("got %s in %d requests, want %s in one", told(got, err), requests, row.told)
			}
			if !reflect.DeepEqual(got, row.want) {
				t.Errorf("got  %+v\nwant %+v", got, row.want)
			}
		})
	}
}

func corpusFile(t testing.TB, name string) []byte {
	t.Helper()
	body, err := os.ReadFile("testdata/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return body
}
