package relay

import (
	"slices"
	"time"
)

// A History is what a call has been through. It travels with the call's message, as JSON in a header of the relay's own, because the
// server's own delivery count does not survive its crash.
type History struct {
	ID        string    `json:"id"` // under which the verdict will be published
	FirstSeen time.Time `json:"firstSeen"`
	EndedAt   time.Time `json:"endedAt"`
	Due       time.Time `json:"due,omitzero"`      // not to be asked for before
	Attempts  int       `json:"attempts,omitzero"` // deliveries that asked
	Requests  int       `json:"requests,omitzero"` // HTTP requests, quick retries included
	Handed    int       `json:"handed,omitzero"`   // hand-outs since the last answer that ended in nothing, as far as they are in doubt

	Spared     bool        `json:"spared,omitzero"`   // there is no budget for a request before its last one
	LookedAt   time.Time   `json:"lookedAt,omitzero"` // when the latest request was made that brought a good answer, and not all there may be
	SeenAt     time.Time   `json:"seenAt,omitzero"`   // when a recording was first seen
	Recordings []Recording `json:"recordings,omitempty"`
	Status     string      `json:"status,omitempty"` // the latest good answer's

	Troubles     int       `json:"troubles,omitzero"`     // troubled answers since the last good one
	TroubleSince time.Time `json:"troubleSince,omitzero"` // moved on by the time that the call could not be asked for
	StillSince   time.Time `json:"stillSince,omitzero"`   // its account refused: the clock of give_up_after may stand still from here
	Turned       bool      `json:"turned,omitzero"`       // it was its turn, and the account was over its budget: it goes first when that is over

	Asks []Ask `json:"asks,omitempty"` // the latest, in their order
}

// An Ask is one delivery that asked, for those who want to know what a call has been through.
type Ask struct {
	At       time.Time `json:"at"`     // to the millisecond
	Answer   string    `json:"answer"` // out of a closed set
	Requests int       `json:"requests"`
}

// keptAsks bounds what a history and a ledger's record carry of them: twice what a call that left nothing costs.
const keptAsks = 16

// Seen says whether a recording was ever seen: such a call ends ready, whatever comes.
func (h History) Seen() bool { return !h.SeenAt.IsZero() }

// resume brings the history to the moment of a request: the clock of give_up_after stood still while the call stood in line (for budget, or
// behind a closed account), and since the account refused it if this is the probe that tries again: a call that is refused while others are served
// is in trouble of its own. It runs while the API is down: that is trouble.
func (h *History) resume(d *Delivery) {
	if h.TroubleSince.IsZero() {
		return
	}
	from := d.Now
	if d.Line && !d.Queued.IsZero() && d.Queued.Before(from) {
		from = d.Queued
	}
	if d.Probe && d.Down.IsZero() && !h.StillSince.IsZero() && h.StillSince.Before(from) {
		from = h.StillSince
	}
	until := d.Now
	if !d.Down.IsZero() && d.Down.Before(until) {
		until = d.Down
	}
	h.TroubleSince = h.TroubleSince.Add(max(0, until.Sub(from)))
	h.StillSince = time.Time{}
}

// asked counts an answer in.
func (h *History) asked(a *Answer) {
	h.Attempts++
	h.Requests += a.Requests
	h.Handed = 0
	h.Asks = append(slices.Clip(h.Asks), Ask{At: a.Asked.UTC().Truncate(time.Millisecond), Answer: heard(a), Requests: a.Requests})
	if n := len(h.Asks); n > keptAsks {
		h.Asks = h.Asks[n-keptAsks:]
	}
}

// troubled starts or continues the clock of give_up_after.
func (h *History) troubled(a *Answer) {
	h.Troubles++
	if h.TroubleSince.IsZero() {
		h.TroubleSince = a.Asked
	}
	if kindOf(a.Err) == Refused {
		h.StillSince = a.At
	}
	h.Turned = kindOf(a.Err) == Limited
}

// good forgets trouble, and keeps what was seen.
func (h *History) good(a *Answer) {
	h.Troubles, h.TroubleSince, h.StillSince, h.Turned = 0, time.Time{}, time.Time{}, false
	h.LookedAt = a.Asked
	h.Status = a.Voicemail.Status
	if len(a.Voicemail.Recordings) > 0 {
		h.Recordings = a.Voicemail.Recordings
		if !h.Seen() {
			h.SeenAt = a.At
		}
	}
}

// Recalled is the history with what another delivery of the session has seen, by the request that it made beside this one's.
func (h History) Recalled(saw History) History {
	h.SeenAt, h.Recordings, h.Status = saw.SeenAt, saw.Recordings, saw.Status
	if saw.LookedAt.After(h.LookedAt) {
		h.LookedAt = saw.LookedAt
	}
	if saw.Due.Before(h.Due) {
		h.Due = saw.Due
	}
	h.Attempts++
	if n := len(saw.Asks); n > 0 {
		h.Requests += saw.Asks[n-1].Requests
		h.Asks = append(slices.Clone(h.Asks), saw.Asks[n-1])
		slices.SortStableFunc(h.Asks, func(a, b Ask) int { return a.At.Compare(b.At) })
	}
	h.Asks = h.Asks[max(0, len(h.Asks)-keptAsks):]
	return h
}

// kept bounds what a history carries: NATS takes 64 KiB of headers. One recording is the rule, and the first is always kept.
func kept(rs []Recording) []Recording {
	size := 0
	for i, r := range rs {
		if size += len(r.FileURL) + len(r.FileName) + 64; i > 0 && size > 24<<10 {
			return rs[:i]
		}
	}
	return rs
}
