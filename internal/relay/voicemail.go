package relay

import (
	"slices"
	"strings"
	"time"
)

// A Voicemail is what the API gave for a session. Without recordings there is nothing yet, whatever Status says.
type Voicemail struct {
	Recordings     []Recording // those with a link, in the API's order
	Transcriptions []Transcription
	Status         string // the answer's own word, such as success or media_in_progress: a closed set, "other" for what is not known
}

// A Recording is one file behind a link.
type Recording struct {
	FileName string `json:"fileName"`
	// FileURL is byte for byte what the API gave. It is a credential: whoever has it can listen.
	FileURL   string    `json:"fileUrl"`
	ExpiresAt time.Time `json:"expiresAt,omitzero"` // read from the link itself; zero when it does not tell
}

// A Transcription is one message of a voicemail's transcript.
type Transcription struct {
	ID         string
	Text       string // its text components joined by newlines; "" when there is none
	Language   string
	CreatedOn  string // as the API gave it
	AuthorID   string
	AuthorType string
	Spoken     int64 // milliseconds since 1970 that order messages: timestampValue, else createdOn, else 0
}

// TranscriptStatus says what became of a voicemail's text.
type TranscriptStatus string

const (
	TranscriptCompleted TranscriptStatus = "completed" // any text came
	TranscriptEmpty     TranscriptStatus = "empty"     // a message is there, without text
	TranscriptTimedOut  TranscriptStatus = "timed_out" // no message until wait.transcript_for
	TranscriptOff       TranscriptStatus = "off"       // the account does not ask for it
	TranscriptTruncated TranscriptStatus = "truncated" // too large for the server: text is what gave way
)

// inOrder returns the messages in spoken order; those of the same moment stay in the API's order.
func inOrder(ts []Transcription) []Transcription {
	if len(ts) < 2 {
		return ts
	}
	ts = slices.Clone(ts)
	slices.SortStableFunc(ts, func(a, b Transcription) int {
		switch {
		case a.Spoken < b.Spoken:
			return -1
		case a.Spoken > b.Spoken:
			return 1
		}
		return strings.Compare(a.CreatedOn, b.CreatedOn)
	})
	return ts
}

// joined returns all text, message by message, and the first language that is told.
func joined(ts []Transcription) (text, language string) {
	var parts []string
	for _, t := range ts {
		if t.Text != "" {
			parts = append(parts, t.Text)
		}
		if language == "" {
			language = t.Language
		}
	}
	return strings.Join(parts, "\n"), language
}
