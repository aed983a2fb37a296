package relay

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// An Event is a message of call.ended as it came.
type Event struct {
	Body   []byte
	Header map[string][]string // names in any case
	Stored time.Time           // when its stream stored it
	ID     string              // what names it when it is no call: its stream, sequence and stored time; "" when it is one
}

// MaxBody is the largest call.ended body in bytes.
const MaxBody = 65_536

// deepest is how many levels deep a call may be nested. encoding/json follows 10,000, as do others, and the verdict holds the call's fields up to two
// levels deeper than they came: nobody could read it.
const deepest = 9_998

// ReplayHeader asks once more for a session that may be settled: its value is k of ReplayID.
const ReplayHeader = "Voicemail-Relay-Replay"

// Parse reads a call out of an event in any of its three forms, told apart by content: plain JSON, CloudEvents binary mode (headers, and
// the same body), CloudEvents structured mode (the same under data or data_base64). Ids are checked before anything else sees them. The
// error says in one line why it is no call, without quoting the event; the Call beside it then holds the ids that could be read.
func Parse(e Event) (Call, error) {
	c := Call{Trace: trace(e.Header, nil)} // what is no call is told under its trace, too
	switch {
	case len(e.Body) > MaxBody:
		return c, fmt.Errorf("the event has %d bytes, more than %d", len(e.Body), MaxBody)
	case len(e.Body) == 0:
		return c, errors.New("the event is empty")
	case !utf8.Valid(e.Body):
		return c, errors.New("the event is not valid UTF-8")
	}
	top, err := parseObject(e.Body)
	if err != nil {
		return c, fmt.Errorf("the event is %w", err)
	}
	c.Trace = trace(e.Header, top)
	plain, err := unwrap(top)
	if err != nil {
		return c, err
	}
	if err := c.readIDs(plain); err != nil {
		return c, err
	}
	c.key = c.Key()
	c.EndedAt = e.Stored
	if t, err := ParseTime(plain.text("endedAt")); err == nil && t.Before(e.Stored) && t.UTC().Year() > 1 {
		c.EndedAt = t.UTC() // before year 1 no RFC 3339 can be written, and its first moment is Go's 'no time'
	}
	switch string(plain.get("voicemail")) {
	case "true":
		c.Hint = HintLeft
	case "false":
		c.Hint = HintNone
	}
	c.Fields = plain.without("botId", "streamId", "sessionId", "endedAt", "voicemail")
	if nested(c.Fields, deepest) {
		return c, fmt.Errorf("the event is nested more than %d levels deep", deepest)
	}
	if r := header(e.Header, ReplayHeader); r != "" {
		c.Replay = Replays("/r" + r)
	}
	return c, nil
}

// unwrap finds the plain object in a CloudEvents structured event; any other object is the plain one itself.
func unwrap(top object) (object, error) {
	for _, attr := range []string{"specversion", "id", "source", "type"} {
		if top.text(attr) == "" {
			return top, nil
		}
	}
	if data := top.get("data"); data != nil {
		plain, err := parseObject(data)
		if err != nil {
			return nil, fmt.Errorf("the CloudEvent's data is %w", err)
		}
		return plain, nil
	}
	if top.get("data_base64") == nil {
		return top, nil
	}
	data, err := base64.StdEncoding.DecodeString(top.text("data_base64"))
	if err != nil || !utf8.Valid(data) {
		return nil, errors.New("the CloudEvent's data_base64 is not base64 of UTF-8 text")
	}
	plain, err := parseObject(data)
	if err != nil {
		return nil, fmt.Errorf("the CloudEvent's data_base64 is %w", err)
	}
	return plain, nil
}

func (c *Call) readIDs(o object) error {
	var botErr, sessionErr error
	c.Bot, botErr = readID(o, "botId", "streamId")
	c.Session, sessionErr = readID(o, "sessionId")
	switch {
	case botErr != nil && sessionErr != nil:
		return fmt.Errorf("%w, and %w", botErr, sessionErr)
	case botErr != nil:
		return botErr
	}
	return sessionErr
}

// readID returns the first of the names that is given at all; null and "" count as not given.
func readID(o object, names ...string) (string, error) {
	for _, name := range names {
		raw := string(o.get(name))
		if raw == "" || raw == "null" || raw == `""` {
			continue
		}
		id := o.text(name)
		if raw[0] != '"' {
			return "", fmt.Errorf("%s is not a string", name)
		}
		if err := CheckID(id); err != nil {
			return "", fmt.Errorf("%s %w", name, err)
		}
		return id, nil
	}
	return "", fmt.Errorf("%s is missing", names[0])
}

// trace finds the trace context where W3C, and the CloudEvents extension for distributed tracing, put it.
func trace(h map[string][]string, o object) Trace {
	for _, t := range []Trace{
		{header(h, "traceparent"), header(h, "tracestate")},
		{header(h, "ce-traceparent"), header(h, "ce-tracestate")},
		{o.text("traceparent"), o.text("tracestate")},
	} {
		if t.passable() {
			return t
		}
	}
	return Trace{}
}

// header reads a header whatever the case of its name: NATS keeps names as they were written.
func header(h map[string][]string, name string) string {
	for k, v := range h {
		if len(v) > 0 && strings.EqualFold(k, name) {
			return strings.TrimSpace(v[0])
		}
	}
	return ""
}

// ParseTime reads RFC 3339. Go's own reading refuses the lower-case t and z that it allows, and takes what it does not: a comma before fractions,
// an hour of one digit, offsets of a day and of an hour's minutes and more.
func ParseTime(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, errors.New("is empty") // the commonest: not worth what time.Parse spends on its error
	}
	t, err := time.Parse(time.RFC3339, strings.ToUpper(s))
	if err != nil {
		return t, err
	}
	switch offset := s[len(s)-len("00:00"):]; { // without an offset: the end of seconds and Z
	case strings.Contains(s, ","):
		return time.Time{}, errors.New("holds a comma")
	case s[len("2006-01-02T")+1] == ':':
		return time.Time{}, errors.New("has an hour of one digit")
	case offset[2] == ':' && (offset[:2] > "23" || offset[3:] > "59"):
		return time.Time{}, errors.New("has an offset that is none")
	}
	return t, nil
}
