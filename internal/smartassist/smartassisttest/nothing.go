package smartassisttest

import "net/http"

// NotYet is a success with empty lists: nothing there, or not yet.
func NotYet() Step {
	return Step{"not_yet", func(p play) { p.voicemail([]File{}, []Message{}) }}
}

// Status is a JSON 200 with that status and no link.
func Status(status string) Step {
	return Step{"status:" + status, func(p play) { writeJSON(p.w, http.StatusOK, map[string]any{"status": status}) }}
}

// InProgress says that the call is not over: call_in_progress. It, MediaInProgress, Unavailable and Failed are what the sibling recording
// API documents.
func InProgress() Step { return named("in_progress", Status("call_in_progress")) }

// MediaInProgress says that the call was hung up and its media is not made yet: media_in_progress.
func MediaInProgress() Step { return named("media_in_progress", Status("media_in_progress")) }

// Unavailable says that nothing was recorded, or that it was deleted: media_unavailable.
func Unavailable() Step { return named("unavailable", Status("media_unavailable")) }

// Failed is the permanent failure, in a 200: failed.
func Failed() Step { return named("failed", Status("failed")) }

// NoContent is a 204 without a body.
func NoContent() Step { return named("no_content", Raw(http.StatusNoContent, nil, nil)) }

// EmptyLink is a recording whose link is empty: it is not ready.
func EmptyLink() Step {
	return Step{"empty_link", func(p play) { p.voicemail([]File{{Name: p.fileName()}}, []Message{}) }}
}

// SessionNotFound is a 400 whose message names the session: unknown resources are a 400 there, and it may mean 'not yet'.
func SessionNotFound() Step {
	return Step{"session_not_found", func(p play) { writeError(p.w, http.StatusBadRequest, 400, "Session "+p.session+" not found") }}
}

// NotFound404 is a 404 that says so in the vendor's body.
func NotFound404() Step { return named("not_found", Error(http.StatusNotFound, "Resource not found")) }
