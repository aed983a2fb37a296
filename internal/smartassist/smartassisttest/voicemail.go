package smartassisttest

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"time"
)

// A File is one recording in an answer; an empty URL is a link that is not ready, and "own" a signed one to the emulator's own file.
type File struct{ Name, URL string }

// OwnLink makes a File's URL one of the emulator's.
const OwnLink = "own"

// A Message is one transcription in an answer.
type Message struct {
	Components []map[string]any
	Timestamp  any // timestampValue, milliseconds; nil leaves it out
	CreatedOn  string
	Language   string
}

// Text is a message of one text component.
func Text(text string, at time.Time) Message {
	return Message{Components: []map[string]any{{"_id": "cp-" + short(text), "cT": "text", "data": map[string]any{"text": text}, "thumbnails": []any{}}},
		Timestamp: at.UnixMilli(), CreatedOn: at.UTC().Format("2006-01-02T15:04:05.000Z"), Language: "en"}
}

// Voicemail answers with recordings and messages. Nil messages leave the list out.
func Voicemail(files []File, messages []Message) Step {
	return Step{"voicemail", func(p play) { p.voicemail("voicemail recording", files, messages) }}
}

// Ready is one recording with its text.
func Ready(text string) Step {
	return Step{"ready", func(p play) {
		p.voicemail("voicemail recording", ownFile(p.session), []Message{Text(text, p.server.cfg.Now())})
	}}
}

// ReadyUnderscored spells the recordings' key as the vendor's tables do.
func ReadyUnderscored(text string) Step {
	return Step{"ready", func(p play) {
		p.voicemail("voicemail_recording", ownFile(p.session), []Message{Text(text, p.server.cfg.Now())})
	}}
}

// NoTranscript is a recording whose list of transcriptions is empty.
func NoTranscript() Step {
	return Step{"no transcript", func(p play) { p.voicemail("voicemail recording", ownFile(p.session), []Message{}) }}
}

// NoTranscriptList is a recording without such a list.
func NoTranscriptList() Step {
	return Step{"no transcript list", func(p play) { p.voicemail("voicemail recording", ownFile(p.session), nil) }}
}

// EmptyTranscript is a recording with a message that has no text.
func EmptyTranscript() Step {
	return Step{"empty transcript", func(p play) {
		p.voicemail("voicemail recording", ownFile(p.session), []Message{{Components: []map[string]any{}, CreatedOn: "2025-02-11T13:57:42.032Z"}})
	}}
}

// EmptyLink is a recording that is not ready: its link is empty.
func EmptyLink() Step {
	return Step{"empty link", func(p play) {
		p.voicemail("voicemail recording", []File{{Name: "voicemail_" + p.session + ".wav"}}, []Message{})
	}}
}

// Several has two recordings with links, one without, and three messages out of their order, with components of other types between.
func Several() Step {
	at := time.Date(2025, 2, 11, 13, 57, 42, 0, time.UTC)
	mixed := Text("second", at.Add(2*time.Second))
	mixed.Components = append([]map[string]any{{"cT": "image", "data": map[string]any{"url": "x"}}}, mixed.Components...)
	return Voicemail([]File{{"empty.wav", ""}, {"one.wav", OwnLink}, {"two.wav", OwnLink}},
		[]Message{Text("third", at.Add(3*time.Second)), Text("first", at.Add(time.Second)), mixed})
}

// Astray has other types than documented wherever they do no harm, and a usable link and text.
func Astray() Step {
	return Step{"astray", func(p play) {
		writeJSON(p.w, http.StatusOK, map[string]any{"status": 1, "voicemail recording": map[string]any{"fileName": 7, "fileUrl": p.server.link(p.r, p.session), "size": []int{1}},
			"transcriptions": []any{nil, 3, "text", map[string]any{"_id": 12, "lang": []string{"en"}, "author": "nobody", "timestampValue": "1739282262039", "createdOn": 5,
				"components": map[string]any{"cT": "text", "data": map[string]any{"text": "astray"}}}}})
	}}
}

// SampleLink is the link in Sample's body; like published ones it holds & and ends in $$.
const SampleLink = "https://media.example.com/api/getMediaStream/voicemail/f-0c1e7b9a-0000-4000-8000-5c2f6f1d0001.wav?e=1795346682&n=8471320915&s=IjY3YWEzODAyNmUxOTljOGY0NzBlMDAwMSI$$"

// Sample is the published sample of the API, byte for byte but for the link that the page leaves out.
func Sample() Step {
	return Raw(http.StatusOK, http.Header{"Content-Type": {"application/json; charset=utf-8"}}, []byte(`{"status":"success",
 "voicemail recording":[{"fileName":"voicemail_67aa38026e199c8f470e0001.wav","fileUrl":"`+SampleLink+`"}],
 "transcriptions":[{"_id":"ms-…","botId":"st-…","type":"incoming","status":"received",
   "channels":[{"handle":{"userId":"u-…","taskBotId":"st-…"},"from":"u-…","botInfo":{"chatBot":"…","taskBotId":"st-…"},"type":"korevg","cc":[],"bcc":[]}],
   "components":[{"_id":"cp-…","cT":"text","data":{"text":"Hi, this is voicemail testing."},"thumbnails":[]}],
   "createdBy":"u-…","createdOn":"2025-02-11T13:57:42.032Z","lmodifiedBy":"u-…","lmodifiedOn":"2025-02-11T13:57:42.032Z",
   "sessionId":"67ab…","isBB":0,"isD":0,"ms":1,"chnl":"korevg","lang":"en","sT":1,
   "author":{"id":"u-…","type":"VOICEMAIL"},"__lModifiedOn__":"2025-02-11T13:57:42.000Z","timestampValue":1739282262039,"__v":0,"resourceid":"messagestore"}]}`))
}

func ownFile(session string) []File { return []File{{"voicemail_" + session + ".wav", OwnLink}} }

// voicemail writes the vendor's shape, internal fields included.
func (p play) voicemail(key string, files []File, messages []Message) {
	recordings := []any{}
	for _, f := range files {
		link := f.URL
		if link == OwnLink {
			link = p.server.link(p.r, p.session)
		}
		recordings = append(recordings, map[string]any{"fileName": f.Name, "fileUrl": link})
	}
	body := map[string]any{"status": "success", key: recordings}
	if messages != nil && p.wantsText() {
		list := []any{}
		for i, m := range messages {
			list = append(list, p.message(i, m))
		}
		body["transcriptions"] = list
	}
	writeJSON(p.w, http.StatusOK, body)
}

func (p play) message(i int, m Message) map[string]any {
	user := "u-" + short(p.session)
	out := map[string]any{"_id": "ms-" + short(p.session, string(rune('a'+i))), "botId": p.bot, "type": "incoming", "status": "received",
		"channels":   []any{map[string]any{"handle": map[string]any{"userId": user, "taskBotId": p.bot}, "from": user, "type": "korevg", "cc": []any{}, "bcc": []any{}}},
		"components": m.Components, "createdBy": user, "createdOn": m.CreatedOn, "lmodifiedBy": user, "lmodifiedOn": m.CreatedOn, "sessionId": short("dialog", p.session),
		"isBB": 0, "isD": 0, "ms": 1, "chnl": "korevg", "lang": m.Language, "sT": 1, "author": map[string]any{"id": user, "type": "VOICEMAIL"}, "__v": 0, "resourceid": "messagestore"}
	if m.Timestamp != nil {
		out["timestampValue"] = m.Timestamp
	}
	return out
}

// short is a stable made-up id.
func short(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write([]byte(p + "\n"))
	}
	return hex.EncodeToString(h.Sum(nil))[:24]
}
