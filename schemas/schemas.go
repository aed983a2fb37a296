// Package schemas holds the papers: the JSON Schemas (draft-07) of the four
// events that pass between the relay and other programs, and the AsyncAPI
// document over them. They are embedded, so that the binary can print them and
// tests can hold every event to them.
//
// The schemas are the law for bodies. Four things a schema cannot say are left
// to the parser: a call.ended body has at most 65,536 bytes, a call is nested at
// most 9,998 levels deep, the contents of data_base64 must be a call too, and of
// a name that stands twice in one object the last counts.
//
// The files under testdata, one folder a schema with valid and invalid bodies,
// are for every test that reads or writes these events.
package schemas

import (
	"embed"
	"fmt"
	"slices"
	"strings"
)

// The names of the four events, which are also their default subjects.
const (
	CallEnded       = "call.ended"
	VoicemailReady  = "voicemail.ready"
	VoicemailAbsent = "voicemail.absent"
	VoicemailFailed = "voicemail.failed"
)

//go:embed call.ended.json voicemail.ready.json voicemail.absent.json voicemail.failed.json asyncapi.yaml
var papers embed.FS

// Names lists the four events: the one that comes in, then the three verdicts.
func Names() []string {
	return []string{CallEnded, VoicemailReady, VoicemailAbsent, VoicemailFailed}
}

// JSON is the schema of one event as it was written, with comments for readers
// in its descriptions. It stands alone: it refers to no other file. The error of
// an unknown name lists the known ones.
func JSON(name string) ([]byte, error) {
	if err := known(name); err != nil {
		return nil, err
	}
	return papers.ReadFile(name + ".json")
}

// AsyncAPI is the AsyncAPI 3.1 document, YAML, over all four events. It refers
// to the schemas as files beside it, by the name of the event and ".json".
func AsyncAPI() []byte {
	doc, err := papers.ReadFile("asyncapi.yaml")
	if err != nil {
		panic(err) // the compiler put it there
	}
	return doc
}

func known(name string) error {
	if slices.Contains(Names(), name) {
		return nil
	}
	return fmt.Errorf("schema %q: not known; there are %s", name, strings.Join(Names(), ", "))
}
