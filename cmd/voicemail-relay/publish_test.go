package main

import (
	"strings"
	"testing"

	"voicemail-relay/internal/relay"
)

func TestPublishedBody(t *testing.T) {
	rows := []struct {
		name string
		p    publishing
		want string // or what the error says
	}{
		{"ids alone", publishing{}, `{"botId":"b","sessionId":"s"}`},
		{"values keep their bytes", publishing{data: ` {"z":{"b":1.0e2,"a":"<&>\u00e9"},"n": [ 1,2 ] , "a":12345678901234567890} `}, `{"z":{"b":1.0e2,"a":"<&>\u00e9"},"n":[ 1,2 ],"a":12345678901234567890,"botId":"b","sessionId":"s"}`},
		{"a field with an ampersand", publishing{fields: []string{"k<=a&b"}}, `{"k<":"a&b","botId":"b","sessionId":"s"}`},
		{"a field over data, ids over both", publishing{data: `{"x":1,"botId":"other"}`, fields: []string{"x=2"}, ended: "2026-11-24t10:00:00z", voicemail: "false"}, `{"x":"2","botId":"b","sessionId":"s","endedAt":"2026-11-24t10:00:00z","voicemail":false}`},
		{"a brace too many", publishing{data: `{"a":1}}`}, "--data: not a JSON object alone"},
		{"two objects", publishing{data: `{"a":1}{}`}, "--data: not a JSON object alone"},
		{"a cut one", publishing{data: `{"a":1`}, "--data: not a JSON object"},
		{"a list", publishing{data: `[]`}, "--data: not a JSON object"},
		{"null", publishing{data: `null`}, "--data: not a JSON object"},
		{"no UTF-8", publishing{data: "{\"a\":\"\xff\"}"}, "--data: not valid UTF-8"},
		{"an end with a comma", publishing{ended: "2026-11-24T10:00:00,5Z"}, "--ended-at"},
		{"both ids", publishing{bot: "a b", session: "c..d"}, "BOT holds a character that is not out of A-Z a-z 0-9 . _ : -, and SESSION holds '..'"},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			if r.p.bot == "" {
				r.p.bot, r.p.session = "b", "s"
			}
			got, err := r.p.body(strings.NewReader(""))
			if err != nil {
				if !strings.HasPrefix(err.Error(), r.want) {
					t.Errorf("got %v, want %s", err, r.want)
				}
				return
			}
			if string(got) != r.want {
				t.Errorf("got  %s\nwant %s", got, r.want)
			}
			if c, err := relay.Parse(relay.Event{Body: got}); err != nil || c.Bot != "b" || c.Session != "s" {
				t.Errorf("it is read as %+v, %v", c, err)
			}
		})
	}
}
