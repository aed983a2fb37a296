package relay

import (
	"fmt"
	"testing"
	"time"
)

func BenchmarkParse(b *testing.B) {
	e := Event{Body: []byte(`{"botId":"st-5f0c8e02-6c1a-5b7e-9d43-2a1f6c0b7e11","sessionId":"67aa38026e199c8f470e0001","endedAt":"2026-11-22T10:24:42Z","caller":"+15550100","queue":"sales"}`), Stored: ended}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(e); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBody(b *testing.B) {
	v := Verdict{Kind: KindReady, ID: aCall.Key(), Call: aCall, At: ended, Requests: 2, Recordings: []Recording{{FileName: "voicemail.wav", FileURL: "https://media.example.com/f.wav?e=1&n=2&s=3", ExpiresAt: ended.Add(time.Hour)}},
		TranscriptStatus: TranscriptCompleted, Transcript: "Hello, this is a made-up voicemail. Please call me back.",
		Transcriptions: []Transcription{{ID: "ms-1", Text: "Hello, this is a made-up voicemail. Please call me back.", Language: "en", CreatedOn: "2026-11-22T10:24:42.000Z", AuthorID: "u-1", AuthorType: "VOICEMAIL"}}}
	b.ReportAllocs()
	for b.Loop() {
		v.AppendBody(nil, 1<<20)
	}
}

func BenchmarkHandle(b *testing.B) {
	r := Relay{Accounts: Accounts{{Name: "a", Source: &api{v: found}, Purse: quiet{&purse{open: true}}}}, Ledger: memory{}, Policy: Policy{Max: time.Minute, RecordingFor: time.Hour, TranscriptFor: time.Hour,
		RetryFirst: time.Second, RetryMax: time.Minute, GiveUpAfter: time.Hour}, Now: func() time.Time { return ended.Add(time.Minute) }}
	d := Delivery{Event: Event{Stored: ended}, Call: aCall, Now: ended.Add(time.Minute), Deliveries: 1}
	b.ReportAllocs()
	for b.Loop() {
		o, err := r.Handle(b.Context(), &d)
		if v, ok := o.(*Verdict); err != nil || !ok || v.Kind != KindReady {
			b.Fatal(fmt.Sprint(o, err))
		}
	}
}

// quiet is a purse that gives whatever is wanted.
type quiet struct{ *purse }

func (quiet) Answered() {}
