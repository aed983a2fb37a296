package smartassisttest

import (
	"net/http"
	"time"
)

// A File is one recording in an answer. Its URL is any text: empty is a link that is not ready, OwnLink one that the emulator serves.
type File struct{ Name, URL string }

// OwnLink as a File's URL stands for a fresh signed link to a file of the emulator; the k-th File of a session always has the same file.
const OwnLink = "own"

// A Message is one transcription in an answer. What is not here is filled in plausibly.
type Message struct {
	Components []map[string]any // as the vendor has them: {"cT":"text","data":{"text":"…"}}; nil is an empty list
	Timestamp  any              // timestampValue, in milliseconds since 1970; nil leaves it out
	CreatedOn  string           // RFC 3339; empty: shortly after hang-up
	Language   string           // empty: en
}

// Text is a message of one text component, spoken at a time.
func Text(text string, at time.Time) Message {
	return Message{Components: []map[string]any{textComponent(text)}, Timestamp: at.UnixMilli(), CreatedOn: stamp(at)}
}

func textComponent(text string) map[string]any {
	return map[string]any{"_id": "cp-" + uuid("component", text), "cT": "text", "data": map[string]any{"text": text}, "thumbnails": []any{}}
}

// Voicemail answers with these recordings and messages in the vendor's full shape. Nil messages leave their list out, and so does a request
// with transcription=false.
func Voicemail(files []File, messages []Message) Step {
	return Step{"voicemail", func(p play) { p.voicemail(files, messages) }}
}

// Ready is one recording with its text.
func Ready(text string) Step {
	return Step{"ready", func(p play) { p.voicemail(p.ownFile(), []Message{Text(text, p.ended)}) }}
}

// NoTranscript is a recording whose list of transcriptions is empty: none yet, or never.
func NoTranscript() Step {
	return Step{"no_transcript", func(p play) { p.voicemail(p.ownFile(), []Message{}) }}
}

// NoTranscriptList is a recording without such a list.
func NoTranscriptList() Step {
	return Step{"no_transcript_list", func(p play) { p.voicemail(p.ownFile(), nil) }}
}

// EmptyTranscript is a recording with an entry that has no text: nothing was understood.
func EmptyTranscript() Step {
	return Step{"empty_transcript", func(p play) { p.voicemail(p.ownFile(), []Message{{Timestamp: p.ended.UnixMilli()}}) }}
}

// Several has two recordings with links and before them one without, and three messages out of the order in which they were spoken
// ("first", "second", "third"), with components of other types among the text.
func Several() Step {
	return Step{"several", func(p play) {
		image := map[string]any{"_id": "cp-" + uuid("image"), "cT": "image", "data": map[string]any{"url": "https://media.example.com/a.png"}, "thumbnails": []any{}}
		second := Text("second", p.ended.Add(2*time.Second))
		second.Components = append([]map[string]any{image}, second.Components...)
		p.voicemail([]File{{"empty.wav", ""}, {"one.wav", OwnLink}, {"two.wav", OwnLink}},
			[]Message{Text("third", p.ended.Add(3*time.Second)), Text("first", p.ended.Add(time.Second)), second})
	}}
}

// Astray has other types than documented wherever they leave a link and a text ("astray") to be found: numbers for strings, objects for
// lists, and fields that nobody knows.
func Astray() Step {
	return Step{"astray", func(p play) {
		body := map[string]any{"status": 1, "voicemail recording": map[string]any{"fileName": 7, "fileUrl": p.server.link(p.r, p.session, 0), "size": []int{1}}, "surprise": nil}
		if p.wantsText() {
			body["transcriptions"] = []any{nil, 3, "words", map[string]any{"_id": 12, "lang": []string{"en"}, "author": "nobody", "channels": 0,
				"timestampValue": "1739282262039", "createdOn": 5, "components": map[string]any{"cT": "text", "data": map[string]any{"text": "astray", "loud": true}}}}
		}
		writeJSON(p.w, http.StatusOK, body)
	}}
}

func (p play) fileName() string { return "voicemail_" + p.session + ".wav" }

func (p play) ownFile() []File { return []File{{p.fileName(), OwnLink}} }

func (p play) wantsText() bool { return p.transcription == "true" }
