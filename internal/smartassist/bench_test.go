package smartassist

import (
	"net/http"
	"testing"
)

func BenchmarkRead(b *testing.B) {
	for _, name := range []string{"published_sample", "media_in_progress"} {
		body := corpusFile(b, name)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				read(http.StatusOK, nil, body, testNow)
			}
		})
	}
}

func BenchmarkVoicemail(b *testing.B) {
	srv := serve(b, answer(200, string(corpusFile(b, "published_sample"))))
	c := client(b, config(srv.URL))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := c.Voicemail(b.Context(), testCall, no); err != nil {
			b.Fatal(err)
		}
	}
}
