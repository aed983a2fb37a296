package simulation

import (
	"container/heap"
	"math"
	"time"

	"voicemail-relay/internal/budget"
	"voicemail-relay/internal/relay"
)

// A world is a day under way: the clock, what is going to happen, the line, the purse and the API.
type world struct {
	tally
	now    time.Duration
	events events
	lines  map[relay.Class][]int
	turn   int
	purse  *budget.Purse
	woken  time.Duration // when the line is looked at next, if it is
	asked  func(call int, probe bool)
	ended  func(call int)
	minute int64 // of the API's own count
	spent  int
}

// patience is how long after the last call the simulation waits for verdicts.
const patience = 96 * time.Hour

var epoch = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

func newWorld(d Day) (*world, error) {
	w := &world{tally: tally{day: d, left: d.left()}, lines: map[relay.Class][]int{}, woken: -1}
	var err error
	w.purse, err = budget.New(budget.Config{Limit: d.Limit, Seats: 1 << 20, Shared: budget.NewSeats(1 << 20), ProbeFirst: time.Second, ProbeMax: time.Minute, Now: w.clock})
	return w, err
}

func (w *world) clock() time.Time { return epoch.Add(w.now) }

// play lets everything happen in its order.
func (w *world) play() {
	for i, at := range w.day.Calls {
		w.events = append(w.events, event{at: at, order: i, do: func() { w.ended(i) }})
	}
	heap.Init(&w.events)
	end := w.day.Calls[len(w.day.Calls)-1] + patience
	for w.events.Len() > 0 {
		e := heap.Pop(&w.events).(event)
		if e.at > end {
			if !e.idle {
				w.Unasked++
			}
			continue
		}
		w.now = e.at
		e.do()
		w.serve()
	}
	for _, line := range w.lines {
		w.Unasked += len(line)
	}
}

// at has something happen later.
func (w *world) at(t time.Duration, do func()) {
	heap.Push(&w.events, event{at: max(t, w.now), order: len(w.day.Calls) + w.Requests, do: do})
}

// due puts a call into the line.
func (w *world) due(call int, c relay.Class) {
	w.lines[c] = append(w.lines[c], call)
}

// serve has calls asked for as the purse grants it.
func (w *world) serve() {
	for w.waiting() > 0 {
		ok, probe, wait := w.purse.Acquire()
		if !ok {
			w.wake(wait.For)
			break
		}
		call := w.next()
		w.asked(call, probe)
		w.purse.Release(probe)
	}
	all := w.waiting()
	w.PeakLine = max(w.PeakLine, all)
	w.PeakUrgent = max(w.PeakUrgent, all-len(w.lines[relay.ClassLast]))
}

// wake looks at the line again after a while; once is enough.
func (w *world) wake(d time.Duration) {
	at := w.now + max(d, time.Millisecond)
	if w.woken > w.now && w.woken <= at {
		return
	}
	w.woken = at
	heap.Push(&w.events, event{at: at, order: math.MaxInt, idle: true, do: func() {}})
}

func (w *world) waiting() (n int) {
	for _, line := range w.lines {
		n += len(line)
	}
	return n
}

func (w *world) next() int {
	order := relay.Order(w.turn)
	w.turn++
	for _, c := range order {
		if line := w.lines[c]; len(line) > 0 {
			w.lines[c] = line[1:]
			return line[0]
		}
	}
	panic("simulation: nothing waits") // its caller looks first
}

// api answers for a call as the vendor's does, which counts by the minute.
func (w *world) api(call int) relay.Answer {
	a := relay.Answer{Asked: w.clock(), At: w.clock(), Requests: 1}
	w.request(w.now)
	minute := int64(w.now / time.Minute)
	if minute != w.minute {
		w.minute, w.spent = minute, 0
	}
	into := (w.now % time.Minute).Minutes()
	if w.day.Limit > 0 && float64(w.spent+1)+w.day.Others*into > float64(w.day.Limit) {
		w.Denied++
		a.Err = &relay.Trouble{Kind: relay.Limited, Status: 429, Result: "limited", Text: "HTTP 429"}
		return a
	}
	w.spent++
	age := w.now - w.day.Calls[call]
	l := w.left[call]
	if l.any && age >= l.media {
		a.Voicemail.Recordings = []relay.Recording{{FileName: "v.wav", FileURL: "https://media.example.com/v.wav"}}
		if age >= l.text {
			a.Voicemail.Transcriptions = []relay.Transcription{{ID: "ms-1", Text: "hello"}}
		}
	}
	return a
}

// An event is something that happens at a time; those of one time happen in the order in which they were planned.
type event struct {
	at    time.Duration
	order int
	idle  bool // nothing happens to a call
	do    func()
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return e[i].at < e[j].at || e[i].at == e[j].at && e[i].order < e[j].order
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	old := *e
	last := old[len(old)-1]
	*e = old[:len(old)-1]
	return last
}
