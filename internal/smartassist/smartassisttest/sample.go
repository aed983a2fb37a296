package smartassisttest

import "net/http"

// SampleLink is the link in Sample's body. As published ones do, it holds & and ends in $$; it expires at 2026-11-22T11:24:42Z, and
// nothing serves it.
const SampleLink = "https://media.example.com/api/getMediaStream/voicemail/f-0c1e7b9a-5d0f-4b7e-8a31-5c2f6f1d0001.wav?e=1795346682&n=8471320915&s=IjY3YWEzODAyNmUxOTljOGY0NzBlMDAwMSI$$"

// SampleText is what is said in Sample's body.
const SampleText = "Hi, this is voicemail testing."

// Sample is the vendor's published sample, with its ids cut short as they are shown and SampleLink for the link that the page leaves out.
// It holds the transcription whatever the request asked for.
func Sample() Step {
	return named("sample", Raw(http.StatusOK, http.Header{"Content-Type": {jsonType}}, []byte(`{"status":"success",
 "voicemail recording":[{"fileName":"voicemail_67aa38026e199c8f470e0001.wav","fileUrl":"`+SampleLink+`"}],
 "transcriptions":[{"_id":"ms-…","botId":"st-…","type":"incoming","status":"received",
   "channels":[{"handle":{"userId":"u-…","taskBotId":"st-…"},"from":"u-…","botInfo":{"chatBot":"…","taskBotId":"st-…"},"type":"korevg","cc":[],"bcc":[]}],
   "components":[{"_id":"cp-…","cT":"text","data":{"text":"`+SampleText+`"},"thumbnails":[]}],
   "createdBy":"u-…","createdOn":"2025-02-11T13:57:42.032Z","lmodifiedBy":"u-…","lmodifiedOn":"2025-02-11T13:57:42.032Z",
   "sessionId":"67ab…","isBB":0,"isD":0,"ms":1,"chnl":"korevg","lang":"en","sT":1,
   "author":{"id":"u-…","type":"VOICEMAIL"},"__lModifiedOn__":"2025-02-11T13:57:42.000Z","timestampValue":1739282262039,"__v":0,"resourceid":"messagestore"}]}`)))
}
