package smartassist

import (
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"voicemail-relay/internal/relay"
)

// decode reads the body of a success, and says false when it is not JSON. The status is the answer's own word. JSON that is no object holds
// nothing yet, unless it is a list with an answer in it.
func decode(body []byte) (v relay.Voicemail, status string, ok bool) {
	if !valid(body) {
		return v, "", false
	}
	c := cursor{b: body}
	if c.kind() == '{' {
		v, status = c.answer()
		return v, status, true
	}
	v.Status = "other"
	for range c.objects() {
		if len(v.Recordings) > 0 {
			continue
		}
		if one, _ := c.answer(); len(one.Recordings) > 0 {
			v = one
		}
	}
	return v, "", true
}

// answer reads the object of a success.
func (c *cursor) answer() (v relay.Voicemail, status string) {
	// The recordings' key has a space in every published sample and an underscore in every table of parameters.
	var spaced, underscored []relay.Recording
	for key := range c.fields() {
		switch string(key) {
		case "status":
			status = c.word()
		case "voicemail recording":
			spaced = c.recordings()
		case "voicemail_recording":
			underscored = c.recordings()
		case "transcriptions":
			v.Transcriptions = c.transcriptions()
		}
	}
	if v.Recordings = spaced; len(spaced) == 0 {
		v.Recordings = underscored
	}
	status = strings.ToLower(strings.TrimSpace(status))
	v.Status = known(status)
	return v, status
}

// known is the status where it is one of those that the sibling recording API documents: it stands in logs.
func known(status string) string {
	switch status {
	case "", "success", "call_in_progress", "media_in_progress", "media_unavailable":
		return status
	}
	return "other"
}

// No server takes a link of more than some 8 KiB, and no file system a name of more than 255 bytes.
const (
	maxLink = 16 << 10
	maxName = 1 << 10
)

// recordings are those with a link: an empty one, or one of spaces alone, is not ready yet.
func (c *cursor) recordings() []relay.Recording {
	var rs []relay.Recording
	for range c.objectsOrOne() {
		var r relay.Recording
		for key := range c.fields() {
			switch string(key) {
			case "fileName":
				r.FileName = c.word()
			case "fileUrl":
				r.FileURL = c.text()
			}
		}
		if strings.TrimSpace(r.FileURL) == "" || len(r.FileURL) > maxLink {
			continue
		}
		if r.FileName == "" || len(r.FileName) > maxName {
			r.FileName = nameOf(r.FileURL)
		}
		if len(r.FileName) > maxName {
			r.FileName = ""
		}
		r.ExpiresAt = expiresAt(r.FileURL)
		rs = append(rs, r)
	}
	return rs
}

// nameOf is the last part of a link's path, as it stands there where decoding it gives no UTF-8; "" when there is none.
func nameOf(link string) string {
	u, err := url.Parse(link)
	if err != nil {
		return ""
	}
	name := path.Base(u.Path)
	if !utf8.ValidString(name) {
		name = path.Base(u.EscapedPath())
	}
	switch name {
	case "/", ".", "..":
		return ""
	}
	return name
}

func (c *cursor) transcriptions() []relay.Transcription {
	var ts []relay.Transcription
	for range c.objectsOrOne() {
		ts = append(ts, c.transcription())
	}
	return ts
}

func (c *cursor) transcription() relay.Transcription {
	var t relay.Transcription
	var stamp string
	for key := range c.fields() {
		switch string(key) {
		case "_id":
			t.ID = c.word()
		case "components":
			t.Text = c.components()
		case "lang":
			t.Language = c.word()
		case "createdOn":
			t.CreatedOn = c.word()
		case "timestampValue":
			stamp = c.word()
		case "author":
			for key := range c.fields() {
				switch string(key) {
				case "id":
					t.AuthorID = c.word()
				case "type":
					t.AuthorType = c.word()
				}
			}
		}
	}
	t.Spoken = spoken(stamp, t.CreatedOn)
	return t
}

// components joins the text of those that hold some. One whose type is missing counts where it has text: the type is the vendor's, not ours.
func (c *cursor) components() string {
	var all string
	for range c.objectsOrOne() {
		var kind, text string
		for key := range c.fields() {
			switch string(key) {
			case "cT":
				kind = c.word()
			case "data":
				for key := range c.fields() {
					if string(key) == "text" {
						text = c.text()
					}
				}
			}
		}
		switch {
		case text == "" || kind != "" && !strings.EqualFold(kind, "text"):
		case all == "":
			all = text
		default:
			all += "\n" + text
		}
	}
	return all
}

// spoken orders messages, in milliseconds since 1970.
func spoken(timestamp, createdOn string) int64 {
	if ms, err := strconv.ParseFloat(strings.TrimSpace(timestamp), 64); err == nil && ms > 0 && ms < 1<<53 { // beyond, a float loses digits
		return int64(ms)
	}
	if t, err := time.Parse(time.RFC3339, createdOn); err == nil {
		return t.UnixMilli()
	}
	return 0
}
