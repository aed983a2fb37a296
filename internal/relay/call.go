package relay

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A Call is one call.ended event: a bot and a session.
type Call struct {
	Bot     string
	Session string
	EndedAt time.Time // when it was hung up; never later than it was stored
	Hint    Hint      // what the publisher knows
	Fields  []byte    // the publisher's own fields, a JSON object; each value's bytes as they came
	Trace   Trace
	Replay  int    // over 0: the k-th time that the session is asked for on purpose
	key     string // Key's, kept by Parse: it is wanted several times
}

// Hint is what the publisher of a call knows about its voicemail.
type Hint int

const (
	HintUnknown Hint = iota
	HintLeft         // a voicemail was left
	HintNone         // none was left: nothing is asked
)

// Trace is the W3C trace context that a call came with, empty when it came with none.
type Trace struct {
	Parent string `json:"traceparent,omitempty"`
	State  string `json:"tracestate,omitempty"`
}

// ID is the trace's id, 32 hex digits; Span that of the span in it that Parent names, 16. Both are "" when there is none.
func (t Trace) ID() string   { return t.part(3, 35) }
func (t Trace) Span() string { return t.part(36, 52) }

func (t Trace) part(from, to int) string {
	if len(t.Parent) < to {
		return ""
	}
	return t.Parent[from:to]
}

// Key identifies a call's session: 26 lower-case characters out of [a-z2-7], a hash of bot and session. It is what ids become before they
// stand in a subject, a key or a verdict's id.
func (c Call) Key() string {
	if c.key != "" {
		return c.key
	}
	return Token(c.Bot + "\n" + c.Session)
}

var lower = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567")

// Token hashes any text into a subject token of 26 characters (130 bits of SHA-256 in base32).
func Token(s string) string {
	sum := sha256.Sum256([]byte(s))
	var token [32]byte
	lower.Encode(token[:], sum[:20])
	return string(token[:26])
}

// verdictID is the id under which the call's verdict is published.
func (c Call) verdictID() string { return ReplayID(c.Key(), c.Replay) }

// ReplayID is the verdict's id of a session's k-th replay: key/r<k>, and the key itself for k = 0.
func ReplayID(key string, k int) string {
	if k <= 0 {
		return key
	}
	return fmt.Sprintf("%s/r%d", key, k)
}

// Replays reads k out of a verdict's id (see ReplayID).
func Replays(id string) int {
	_, k, _ := strings.Cut(id, "/r")
	n, err := strconv.Atoi(k)
	if err != nil {
		return 0
	}
	return n
}

// newerID says whether the verdict asked for comes after the one that is settled.
func newerID(asked, settled string) bool { return Replays(asked) > Replays(settled) }

// CheckID says what is wrong with a bot's or a session's id: it has to be 1 to 256 characters out of [A-Za-z0-9._:-] without "..", so that it
// can neither leave its place in a URL nor be something else than an id. The vendor states no rule; its own ids look like st-<UUID> and 24
// hex digits.
func CheckID(id string) error {
	switch {
	case id == "":
		return fmt.Errorf("is missing")
	case len(id) > 256:
		return fmt.Errorf("is longer than 256 characters")
	case strings.Contains(id, ".."):
		return fmt.Errorf("holds '..'")
	}
	for i := 0; i < len(id); i++ {
		switch b := id[i]; {
		case b >= 'a' && b <= 'z', b >= 'A' && b <= 'Z', b >= '0' && b <= '9', b == '.', b == '_', b == ':', b == '-':
		default:
			return fmt.Errorf("holds a character that is not out of A-Z a-z 0-9 . _ : -")
		}
	}
	return nil
}
