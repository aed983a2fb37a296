package simulation

import (
	"context"
	"strconv"
	"time"

	"voicemail-relay/internal/forecast"
	"voicemail-relay/internal/relay"
)

// Planner plays the relay's own policy. floor is the lowest price of a request; 0 is the usual one.
func Planner(d Day, name string, floor float64) (Result, error) {
	if err := d.check(); err != nil {
		return Result{}, err
	}
	w, err := newWorld(d)
	if err != nil {
		return Result{}, err
	}
	f, err := forecast.New(forecast.Config{Policy: d.Policy, Budget: func() float64 { return w.purse.Snapshot().Rate }, Now: w.clock, Floor: floor})
	if err != nil {
		return Result{}, err
	}
	account := relay.Account{Name: "simulated", Transcription: !d.Mute, Source: source{w}, Purse: w.purse}
	if d.Limit > 0 {
		account.Forecast = f
	}
	r := &relay.Relay{Accounts: relay.Accounts{account}, Ledger: blank{}, Policy: d.Policy, Now: w.clock}
	calls := make([]relay.Delivery, len(d.Calls))
	handle := func(call int) {
		o, err := r.Handle(context.Background(), &calls[call])
		if err != nil {
			return // it has no context that could end
		}
		switch o := o.(type) {
		case *relay.Verdict:
			w.told(call, w.now, o.Kind == relay.KindReady && o.TranscriptStatus != relay.TranscriptTimedOut)
		case *relay.Later:
			if o.Fresh {
				f.Arrived()
			}
			next := relay.Delivery{Call: calls[call].Call, Line: true, Account: account.Name, History: o.History, Deliveries: 1}
			calls[call] = next
			w.at(o.At.Sub(epoch), func() {
				calls[call].Queued = w.clock()
				w.due(call, o.Class)
			})
		}
	}
	w.ended = func(call int) {
		c := relay.Call{Bot: "st-simulated", Session: strconv.Itoa(call), EndedAt: w.clock()}
		calls[call] = relay.Delivery{Event: relay.Event{Stored: w.clock()}, Call: c, Queued: w.clock(), Deliveries: 1, Now: w.clock()}
		handle(call)
	}
	w.asked = func(call int, probe bool) {
		calls[call].Granted, calls[call].Probe, calls[call].Now = true, probe, w.clock()
		handle(call)
	}
	w.play()
	return w.result(name), nil
}

// source asks the world's API.
type source struct{ w *world }

func (s source) Voicemail(_ context.Context, c relay.Call, _ func(context.Context, time.Duration) bool) (relay.Voicemail, int, error) {
	call, err := strconv.Atoi(c.Session)
	if err != nil {
		return relay.Voicemail{}, 0, err
	}
	a := s.w.api(call)
	return a.Voicemail, a.Requests, a.Err
}

// blank is a ledger in which no call is settled.
type blank struct{}

func (blank) Settled(context.Context, string) (relay.Record, bool, error) {
	return relay.Record{}, false, nil
}

// A Schedule is a usual policy: at which age a call is asked for after n requests, the latest at an age. It is over when ok is false.
type Schedule func(n int, age time.Duration) (next time.Duration, ok bool)

// giveUp is when the usual policies stop asking.
const giveUp = 10 * time.Minute

// Exponential asks after 1 s, then twice as long after each request, up to a minute, until the call is ten minutes old.
func Exponential(n int, age time.Duration) (time.Duration, bool) {
	return age + min(time.Second<<min(n, 6), time.Minute), age < giveUp
}

// Every asks again and again, always after the same time, until the call is ten minutes old.
func Every(d time.Duration) Schedule {
	return func(_ int, age time.Duration) (time.Duration, bool) { return age + d, age < giveUp }
}

// At asks at fixed ages.
func At(ages ...time.Duration) Schedule {
	return func(_ int, age time.Duration) (time.Duration, bool) {
		for _, a := range ages {
			if a > age {
				return a, true
			}
		}
		return 0, false
	}
}

// Usual plays a usual policy: it stands in line for the same budget, first come, first served.
func Usual(d Day, name string, s Schedule) (Result, error) {
	if err := d.check(); err != nil {
		return Result{}, err
	}
	w, err := newWorld(d)
	if err != nil {
		return Result{}, err
	}
	asked := make([]int, len(d.Calls))
	again := func(call int) {
		age := w.now - d.Calls[call]
		next, ok := s(asked[call], age)
		if !ok {
			w.told(call, w.now, false)
			return
		}
		w.at(d.Calls[call]+next, func() { w.due(call, relay.ClassAgain) })
	}
	w.ended = again
	w.asked = func(call int, _ bool) {
		a := w.api(call)
		switch {
		case a.Err != nil: // it learns of it as everybody does, and waits for the next minute
			w.purse.Limited(0)
			w.due(call, relay.ClassAgain)
			return
		case len(a.Voicemail.Transcriptions) > 0:
			w.told(call, w.now, true)
			return
		}
		asked[call]++
		again(call)
	}
	w.play()
	return w.result(name), nil
}
