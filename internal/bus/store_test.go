package bus

import (
	"testing"
)

func TestAckOf(t *testing.T) {
	for _, row := range []struct {
		answer string
		seq    uint64
		dup    bool
		err    string
	}{
		{`{"stream":"VOICEMAILS","seq":7}`, 7, false, ""},
		{`{"stream":"VOICEMAILS", "seq":7,"duplicate": true}`, 7, true, ""},
		{`{"stream":"VOICEMAILS","seq":18446744073709551615,"duplicate":true}`, 18446744073709551615, true, ""},
		{`{"stream":"VOICEMAILS","domain":"hub","seq":12}`, 12, false, ""},
		{`{"duplicate":true,"stream":"A","seq":5}`, 5, true, ""},
		{`{"seq":3,"stream":"A \"seq\":9 B"}`, 3, false, ""},
		{`{"seq" : 3 ,"stream":"A"}`, 3, false, ""},
		{`{"error":{"code":400,"err_code":10071,"description":"wrong last sequence: 4"},"stream":"VOICEMAIL_WORK","seq":0}`, 0, false, "nats: API error: code=400 err_code=10071 description=wrong last sequence: 4"},
		{`{"stream":"VOICEMAILS","seq":0}`, 0, false, "nats: invalid jetstream publish response"},
		{`{"seq":7}`, 0, false, "nats: invalid jetstream publish response"}, // some subscriber's
		{`{}`, 0, false, "nats: invalid jetstream publish response"},
		{`not JSON`, 0, false, "read the stream's answer: invalid character 'o' in literal null (expecting 'u')"},
		{``, 0, false, "read the stream's answer: unexpected end of JSON input"},
	} {
		ack, err := ackOf([]byte(row.answer))
		said := ""
		if err != nil {
			said = err.Error()
		}
		if ack.Sequence != row.seq || ack.Duplicate != row.dup || said != row.err {
			t.Errorf("%s: got %d, %v, %q, want %d, %v, %q", row.answer, ack.Sequence, ack.Duplicate, said, row.seq, row.dup, row.err)
		}
	}
}
