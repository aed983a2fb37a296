package smartassisttest

import (
	"compress/gzip"
	"net/http"
	"strconv"
	"strings"
)

// Hang answers nothing until the client goes away.
func Hang() Step {
	return Step{"hang", func(p play) {
		<-p.r.Context().Done()
		panic(http.ErrAbortHandler)
	}}
}

// half is the beginning of a good body.
const half = `{"status":"success","voicemail recording":[{"fileName":"voicemail_67aa38026e199c8f470e0001.wav","fileUrl":"https://media.exa`

// Cut sends a 200 with its headers, promises 4096 bytes, and drops the connection in the middle of the body.
func Cut() Step {
	return Step{"cut", func(p play) {
		p.w.Header().Set("Content-Type", jsonType)
		p.w.Header().Set("Content-Length", "4096")
		p.w.WriteHeader(http.StatusOK)
		_, _ = p.w.Write([]byte(half))
		_ = http.NewResponseController(p.w).Flush()
		panic(http.ErrAbortHandler)
	}}
}

// Reset drops the connection without an answer.
func Reset() Step {
	return Step{"reset", func(play) { panic(http.ErrAbortHandler) }}
}

// Truncated is a 200 whose JSON ends in the middle, though all the bytes that were promised came.
func Truncated() Step {
	return named("truncated", Raw(http.StatusOK, http.Header{"Content-Type": {jsonType}, "Content-Length": {strconv.Itoa(len(half))}}, []byte(half)))
}

// Garbage is a 200 that calls itself JSON and is none.
func Garbage() Step {
	return named("garbage", Raw(http.StatusOK, http.Header{"Content-Type": {jsonType}}, []byte("\x00\x17 all lines are busy \xff")))
}

// hugePadding is over the 4 MiB that a client should read at most.
const hugePadding = 4<<20 + 1024

// huge is a good voicemail in over 4 MiB of valid JSON.
func (p play) huge() []byte {
	return []byte(`{"status":"success","padding":"` + strings.Repeat("x", hugePadding) +
		`","voicemail recording":[{"fileName":"` + p.fileName() + `","fileUrl":"` + SampleLink + `"}],"transcriptions":[]}`)
}

// Huge is a voicemail in over 4 MiB of valid JSON.
func Huge() Step {
	return Step{"huge", func(p play) {
		p.w.Header().Set("Content-Type", jsonType)
		_, _ = p.w.Write(p.huge()) // clients stop reading
	}}
}

// HugeGzip is some kilobytes on the wire, whatever encodings the client takes, and over 4 MiB when it is decompressed.
func HugeGzip() Step {
	return Step{"huge_gzip", func(p play) {
		p.w.Header().Set("Content-Type", jsonType)
		p.w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(p.w)
		_, _ = z.Write(p.huge())
		_ = z.Close()
	}}
}
