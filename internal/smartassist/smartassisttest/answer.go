package smartassisttest

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"time"
)

// answer is the API's body, its fields in the order of the published sample, with all the internal storage that leaks out there.
type answer struct {
	Status        string       `json:"status"`
	Spaced        *[]recording `json:"voicemail recording,omitempty"`
	Underscored   *[]recording `json:"voicemail_recording,omitempty"`
	Transcription *[]entry     `json:"transcriptions,omitempty"`
}

type recording struct {
	FileName string `json:"fileName"`
	FileURL  string `json:"fileUrl"`
}

type entry struct {
	ID            string           `json:"_id"`
	BotID         string           `json:"botId"`
	Type          string           `json:"type"`
	Status        string           `json:"status"`
	Channels      []channel        `json:"channels"`
	Components    []map[string]any `json:"components"`
	CreatedBy     string           `json:"createdBy"`
	CreatedOn     string           `json:"createdOn"`
	LModifiedBy   string           `json:"lmodifiedBy"`
	LModifiedOn   string           `json:"lmodifiedOn"`
	SessionID     string           `json:"sessionId"`
	IsBB          int              `json:"isBB"`
	IsD           int              `json:"isD"`
	MS            int              `json:"ms"`
	Chnl          string           `json:"chnl"`
	Lang          string           `json:"lang"`
	ST            int              `json:"sT"`
	Author        author           `json:"author"`
	InnerModified string           `json:"__lModifiedOn__"`
	Timestamp     any              `json:"timestampValue,omitempty"`
	V             int              `json:"__v"`
	ResourceID    string           `json:"resourceid"`
}

type channel struct {
	Handle  handle   `json:"handle"`
	From    string   `json:"from"`
	BotInfo botInfo  `json:"botInfo"`
	Type    string   `json:"type"`
	CC      []string `json:"cc"`
	BCC     []string `json:"bcc"`
}

type handle struct {
	UserID    string `json:"userId"`
	TaskBotID string `json:"taskBotId"`
}

type botInfo struct {
	ChatBot   string `json:"chatBot"`
	TaskBotID string `json:"taskBotId"`
}

type author struct {
	ID   string `json:"id"`
	Type string `json:"type"`
}

// voicemail writes a success.
func (p play) voicemail(files []File, messages []Message) {
	recordings := make([]recording, len(files))
	for i, f := range files {
		if f.URL == OwnLink {
			f.URL = p.server.link(p.r, p.session, i)
		}
		recordings[i] = recording{f.Name, f.URL}
	}
	body := answer{Status: "success", Spaced: &recordings}
	if p.underscored {
		body.Spaced, body.Underscored = nil, &recordings
	}
	if messages != nil && p.wantsText() {
		entries := make([]entry, len(messages))
		for i, m := range messages {
			entries[i] = p.entry(i, m)
		}
		body.Transcription = &entries
	}
	writeJSON(p.w, http.StatusOK, body)
}

// entry fills a message in. Bot and session are not those of the request: in the vendor's own sample they differ, too.
func (p play) entry(i int, m Message) entry {
	user, bot := "u-"+uuid("user", p.session), "st-"+uuid("task", p.bot)
	e := entry{
		ID: "ms-" + uuid("message", p.session, strconv.Itoa(i)), BotID: bot, Type: "incoming", Status: "received",
		Channels: []channel{{Handle: handle{user, bot}, From: user, BotInfo: botInfo{"Voicemail Desk", bot}, Type: "korevg",
			CC: []string{}, BCC: []string{}}},
		Components: m.Components, CreatedBy: user, CreatedOn: m.CreatedOn, LModifiedBy: user, SessionID: digest("dialog", p.session)[:24],
		MS: 1, Chnl: "korevg", Lang: m.Language, ST: 1, Author: author{user, "VOICEMAIL"}, Timestamp: m.Timestamp, ResourceID: "messagestore",
	}
	if e.Components == nil {
		e.Components = []map[string]any{}
	}
	if e.CreatedOn == "" {
		e.CreatedOn = stamp(p.ended)
	}
	if e.Lang == "" {
		e.Lang = "en"
	}
	e.LModifiedOn, e.InnerModified = e.CreatedOn, stamp(p.ended.Truncate(time.Second))
	return e
}

// stamp writes a time as the vendor does: UTC, with milliseconds.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// digest is 64 hex digits that depend on the words alone.
func digest(words ...string) string {
	h := sha256.New()
	for _, w := range words {
		_, _ = h.Write(append([]byte(w), 0))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// uuid is a made-up UUID that depends on the words alone.
func uuid(words ...string) string {
	d := digest(words...)
	return d[:8] + "-" + d[8:12] + "-4" + d[13:16] + "-8" + d[17:20] + "-" + d[20:32]
}
