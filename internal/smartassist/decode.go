package smartassist

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"voicemail-relay/internal/relay"
)

// answer is the part of the API's answer that is asked for. The recordings' key has a space in every published sample and an underscore in
// every table of parameters.
type answer struct {
	Status      lenient         `json:"status"`
	Spaced      many[recording] `json:"voicemail recording"`
	Underscored many[recording] `json:"voicemail_recording"`
	Messages    many[message]   `json:"transcriptions"`
}

type recording struct {
	FileName lenient `json:"fileName"`
	FileURL  link    `json:"fileUrl"`
}

type message struct {
	ID         lenient         `json:"_id"`
	Components many[component] `json:"components"`
	CreatedOn  lenient         `json:"createdOn"`
	Lang       lenient         `json:"lang"`
	Timestamp  lenient         `json:"timestampValue"`
	Author     object[author]  `json:"author"`
}

type author struct {
	ID   lenient `json:"id"`
	Type lenient `json:"type"`
}

type component struct {
	Type lenient      `json:"cT"`
	Data object[data] `json:"data"`
}

type data struct {
	Text text `json:"text"`
}

// text and link are strings alone: a number is no text.
type text string

// UnmarshalJSON never fails.
func (t *text) UnmarshalJSON(b []byte) error {
	var s string
	if json.Unmarshal(b, &s) == nil {
		*t = text(s)
	}
	return nil
}

type link string

// UnmarshalJSON never fails.
func (l *link) UnmarshalJSON(b []byte) error {
	var t text
	err := t.UnmarshalJSON(b)
	*l = link(t)
	return err
}

// object is a JSON object, or nothing.
type object[T any] struct{ value T }

// UnmarshalJSON never fails.
func (o *object[T]) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '{' {
		_ = json.Unmarshal(b, &o.value)
	}
	return nil
}

// many is a list of objects: what else stands in it is passed over, and a single object counts as a list of one.
type many[T any] []T

// UnmarshalJSON never fails.
func (m *many[T]) UnmarshalJSON(b []byte) error {
	var items []json.RawMessage
	switch {
	case len(b) > 0 && b[0] == '{':
		items = []json.RawMessage{b}
	case len(b) > 0 && b[0] == '[':
		_ = json.Unmarshal(b, &items)
	}
	*m = nil
	for _, item := range items {
		var v T
		if item = bytes.TrimSpace(item); len(item) > 0 && item[0] == '{' && json.Unmarshal(item, &v) == nil {
			*m = append(*m, v)
		}
	}
	return nil
}

// decode reads a JSON object.
func decode(body []byte) (answer, error) {
	var a answer
	if trimmed := bytes.TrimLeft(body, " \t\r\n"); len(trimmed) == 0 || trimmed[0] != '{' {
		return a, errors.New("not a JSON object")
	}
	if err := json.Unmarshal(body, &a); err != nil {
		return a, errors.New("not valid JSON")
	}
	return a, nil
}

// voicemail is the answer in relay's words.
func (a answer) voicemail() relay.Voicemail {
	v := relay.Voicemail{Recordings: a.recordings(), Status: status(string(a.Status))}
	for _, m := range a.Messages {
		v.Transcriptions = append(v.Transcriptions, m.transcription())
	}
	return v
}

// status keeps the answer's word where it is known: it stands in logs.
func status(s string) string {
	switch s = strings.ToLower(s); s {
	case "", "success", "call_in_progress", "media_in_progress", "media_unavailable", "failed":
		return s
	}
	return "other"
}

// recordings are those with a link; an empty one is not ready yet.
func (a answer) recordings() []relay.Recording {
	for _, spelling := range []many[recording]{a.Spaced, a.Underscored} {
		var rs []relay.Recording
		for _, r := range spelling {
			if r.FileURL == "" {
				continue
			}
			name := string(r.FileName)
			if name == "" {
				name = nameOf(string(r.FileURL))
			}
			rs = append(rs, relay.Recording{FileName: name, FileURL: string(r.FileURL), ExpiresAt: expiresAt(string(r.FileURL))})
		}
		if len(rs) > 0 {
			return rs
		}
	}
	return nil
}

// nameOf is the last part of a link's path.
func nameOf(link string) string {
	u, err := url.Parse(link)
	if err != nil || u.Path == "" {
		return ""
	}
	if name := path.Base(u.Path); name != "/" && name != "." {
		return name
	}
	return ""
}

func (m message) transcription() relay.Transcription {
	var parts []string
	for _, c := range m.Components {
		if kind := string(c.Type); (kind == "" || strings.EqualFold(kind, "text")) && c.Data.value.Text != "" {
			parts = append(parts, string(c.Data.value.Text))
		}
	}
	return relay.Transcription{
		ID: string(m.ID), Text: strings.Join(parts, "\n"), Language: string(m.Lang), CreatedOn: string(m.CreatedOn),
		AuthorID: string(m.Author.value.ID), AuthorType: string(m.Author.value.Type), Spoken: m.spoken(),
	}
}

// spoken orders messages: timestampValue, else createdOn, in milliseconds since 1970.
func (m message) spoken() int64 {
	if ms, err := strconv.ParseFloat(string(m.Timestamp), 64); err == nil && ms > 0 && ms < 1<<53 {
		return int64(ms)
	}
	if t, err := time.Parse(time.RFC3339, string(m.CreatedOn)); err == nil {
		return t.UnixMilli()
	}
	return 0
}
