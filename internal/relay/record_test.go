package relay

import (
	"encoding/json"
	"testing"
	"time"
)

func TestRecordIsWrittenAsEncodingJSONWould(t *testing.T) {
	at := time.Date(2026, 11, 25, 5, 6, 7, 890_000_000, time.UTC)
	for _, r := range []Record{
		{ID: "k", Verdict: KindAbsent, At: at},
		{ID: "k", Verdict: KindReady, At: at, Requests: 1, Attempts: 1, Sequence: 7, FirstSeen: at.Add(-time.Minute), Asks: []Ask{{At: at, Answer: "ready", Requests: 1}}},
		{ID: "k/r2", Verdict: KindFailed, Reason: string(ReasonGaveUp), At: at.Truncate(time.Second), Requests: 12, Attempts: 9, Sequence: 1 << 40,
			Asks: []Ask{{At: at, Answer: "error \"503\" é", Requests: 3}, {At: at.Add(time.Second), Answer: "nothing_yet", Requests: 1}}},
	} {
		want, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		got := r.AppendJSON(nil)
		if string(got) != string(want) {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}
