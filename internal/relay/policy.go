package relay

import (
	"encoding/binary"
	"hash/fnv"
	"time"
)

// A Policy says how long to wait. It is pure: asked twice, it answers the same.
type Policy struct {
	First         time.Duration // after the call ended, before the first request
	Max           time.Duration // between two requests while nothing is there yet
	RecordingFor  time.Duration // nothing there in a request made this long after the call ended: absent
	TranscriptFor time.Duration // after the recording was first seen: ready without text
	RetryFirst    time.Duration // after the first trouble; doubles
	RetryMax      time.Duration
	GiveUpAfter   time.Duration // of trouble: failed
	Outlook       Outlook       // of the call's bot, for now
}

// due is when a call may next be asked for. Where there is not budget for a request to each call before its last one, some are spared it, by lot:
// so the others are asked for in time, instead of all too late. They wait where they go before all other last requests.
func (p *Policy) due(c *Call, h *History) (at time.Time, spared bool) {
	if !h.Due.IsZero() {
		return h.Due, h.Spared
	}
	if p.Outlook.Spare > 0 && c.Hint == HintUnknown && spread(time.Second, c.Key(), -1) < seconds(p.Outlook.Spare) {
		return c.EndedAt.Add(p.RecordingFor + spread(p.RecordingFor/100, c.Key(), 0)), true
	}
	first := max(p.First, p.Outlook.first(c.Hint))
	return c.EndedAt.Add(first + spread(first/20, c.Key(), 0)), false
}

// lookAgain plans the next request for a call that had nothing in the latest.
func (p *Policy) lookAgain(c *Call, h *History, now time.Time) (at time.Time, last bool) {
	return p.look(p.Outlook.plan(c.Hint), c, h, now, h.EndedAt, p.RecordingFor)
}

// lookForText plans the next request for a call whose recording was seen.
func (p *Policy) lookForText(c *Call, h *History, now time.Time) (at time.Time, last bool) {
	return p.look(p.Outlook.Text, c, h, now, h.SeenAt, p.TranscriptFor)
}

// look plans by what was learned, or else by the fixed schedule.
func (p *Policy) look(plan *Plan, c *Call, h *History, now, since time.Time, until time.Duration) (at time.Time, last bool) {
	fixed, end := p.nextLook(c.Key(), h.Requests, now, since, until)
	if plan == nil || end {
		return fixed, end
	}
	looked, age := max(h.LookedAt.Sub(since), 0), now.Sub(since)
	next, last := plan.next(looked.Seconds(), age.Seconds())
	at = since.Add(seconds(next))
	at = at.Add(spread(at.Sub(now)/50, c.Key(), h.Requests))
	if most := now.Add(p.Max); p.Outlook.Bound && at.After(most) && since.Add(until).After(most) {
		return most, false
	}
	if last {
		return since.Add(until + spread(until/100, c.Key(), h.Requests)), true
	}
	return at, false
}

// outlasted says whether trouble of the account has lasted too long for a call that stands in its line: since the call's own first trouble, or
// since the API has been down while it stood there.
func (p *Policy) outlasted(d *Delivery) bool {
	if d.Down.IsZero() {
		return false
	}
	h := d.History
	h.resume(d)
	since := h.TroubleSince
	if since.IsZero() {
		if since = d.Queued; since.Before(d.Down) {
			since = d.Down
		}
	}
	return d.Now.Sub(since) >= p.GiveUpAfter
}

// fixedLooks is how many requests the fixed schedule makes for a call that leaves nothing.
func (p *Policy) fixedLooks() int {
	const most = 1000
	var end time.Time
	at, last := end.Add(p.First), false
	for n := 1; n < most; n++ {
		if last {
			return n
		}
		at, last = p.nextLook("", n, at, end, p.RecordingFor)
	}
	return most
}

// nextLook plans the next request for something that is not there yet. Media's lag has a long tail, so the age of what is waited for
// doubles from request to request (a request at 15 s is followed by one at 30 s, 1 min, 2 min), with at most Max between two, and what
// remains to the deadline is divided evenly: with the defaults 15 s, 30 s, 1, 2, 4, 6, 8, 10 min, eight requests for a call that left
// nothing. The last one is at the deadline. Jitter shortens nothing below its due and passes neither Max nor the deadline by more than a
// hundredth of the whole.
func (p *Policy) nextLook(key string, n int, now, since time.Time, until time.Duration) (at time.Time, last bool) {
	deadline := since.Add(until)
	rest := deadline.Sub(now)
	if rest <= 0 {
		return now, true
	}
	elapsed := now.Sub(since)
	gap := min(max(elapsed, p.First, time.Second), p.Max)
	gap = max(min(gap+spread(gap/20, key, n), p.Max), time.Millisecond)
	steps := (rest + gap - 1) / gap
	if steps <= 1 {
		return deadline.Add(spread(until/100, key, n)), true
	}
	return now.Add(rest / steps), false
}

// nextTry plans the next request after trouble: RetryFirst, doubled each time up to RetryMax, less up to a fifth of jitter, so that calls
// that failed together do not come back together.
func (p *Policy) nextTry(key string, n int, now time.Time) time.Time {
	gap := p.RetryMax
	if shift := max(n-1, 0); shift < 40 && p.RetryFirst<<shift > 0 {
		gap = min(p.RetryFirst<<shift, p.RetryMax)
	}
	return now.Add(gap - spread(gap/5, key, n))
}

// spread returns a part of d that depends on the call and the count alone: jitter that a pure function may have.
func spread(d time.Duration, key string, n int) time.Duration {
	if d <= 0 {
		return 0
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(key))
	_ = binary.Write(h, binary.LittleEndian, int64(n))
	// FNV's low bits of similar inputs differ more than its high ones.
	return time.Duration(uint64(d) * (h.Sum64() % 1024) / 1024) // #nosec G115 -- d is over 0, and the part is smaller
}
