package relay

import (
	"math"
	"time"
)

// An Outlook is what the calls of a bot are planned by for now. The zero Outlook plans nothing: the fixed schedule holds (Policy.nextLook).
type Outlook struct {
	Media *Plan   // from hang-up to a whole voicemail
	Left  *Plan   // the same where the publisher knows that one was left
	Text  *Plan   // from the first sight of the recording to its text
	Price float64 // seconds that a voicemail may wait to save one request
	Bound bool    // the budget allows for wait.max between two requests
	Short bool    // there is not even budget for each call's last request in time: those wait for a quieter hour
	Spare float64 // part of the calls for which there is no budget before their last request either
}

// A Load is what an account has to do, and what it may spend, each per second.
type Load struct {
	Calls  float64 // that come
	Budget float64 // requests; 0: no limit
	Floor  float64 // the price is not set lower; 0: the usual floor
}

// How the price of a request is set.
const (
	// lowestPrice is that of a request nobody else needs, in seconds of a voicemail's waiting. It is not 0: other programs share the account's
	// budget, and asking more often for a second's gain is not what it is for. Where media comes after half a minute and one call in seven
	// leaves any, a call costs some four requests at this price, and half of the voicemails are told within 9 s of being there (simulate).
	lowestPrice = 1.0
	// highestPrice still makes everybody ask once before the last request.
	highestPrice = 60.0
	// spendable is how much of the budget is planned; the rest is for repeats after trouble and for text that comes late.
	spendable = 0.95
	// early is how much of it is planned for requests before the last, where the last have to wait.
	early = 0.88
	// lastWaits is how late the last requests are taken to come where they have to wait.
	lastWaits = time.Hour
)

// Plan plans for what was learned and the load there is: at the lowest price at which the budget suffices. bot is what was learned of one
// bot, and nothing (the zero Experience) where that is too little.
//
// As long as nothing is learned, and where there is no limit, it is the zero Outlook, unless the budget is too short for the fixed schedule.
func (p Policy) Plan(account, bot Experience, l Load) Outlook {
	curve := p.media(account, 0).within(p.Max)
	fine := curve.fits(p.Max) // else the grid cannot tell so short a wait.max: the fixed schedule does, where it can be afforded
	if l.Budget <= 0 || (!account.Learned() || !fine) && float64(p.fixedLooks())*l.Calls <= spendable*l.Budget {
		return Outlook{}
	}
	o := Outlook{}
	floor := lowestPrice
	if l.Floor > 0 {
		floor = l.Floor
	}
	suffices := func(price float64) bool {
		all, _ := curve.plan(price).requests()
		return all*l.Calls <= spendable*l.Budget
	}
	if o.Bound = fine && suffices(floor); o.Bound {
		o.Price = floor
	} else { // the budget does not allow for wait.max
		curve = p.media(account, 0)
		o.Price = price(floor, suffices)
	}
	late := time.Duration(0)
	if o.Price > highestPrice {
		o.Short, late = true, lastWaits
		curve = p.media(account, late)
		o.Price = min(highestPrice, price(floor, func(price float64) bool {
			_, before := curve.plan(price).requests()
			return before*l.Calls <= early*l.Budget
		}))
		_, before := curve.plan(o.Price).requests()
		o.Spare = max(0, 1-early*l.Budget/(before*l.Calls))
	}
	e := account
	if bot.Known() {
		e = bot
		if !bot.Learned() { // enough calls to know that few leave any, but not when those come
			e.Media = account.Media
		}
	}
	most := p.RecordingFor + p.TranscriptFor
	if o.Bound {
		most = p.Max
	}
	o.Media = p.media(e, late).within(most).plan(o.Price)
	o.Left = newCurve(1, e.Media.plus(guessedMedia), p.First, p.RecordingFor, late).within(most).plan(o.Price)
	text := newCurve(min(1, (e.Worded+guessedBare)/(e.Bare+guessedBare)), e.Text.plus(guessedText), 0, p.TranscriptFor, 0).within(most)
	text.seen = true
	o.Text = text.plan(o.Price)
	return o
}

// media is the curve of whole voicemails.
func (p Policy) media(e Experience, late time.Duration) curve {
	return newCurve(e.Share(), e.Media.plus(guessedMedia), p.First, p.RecordingFor, late)
}

// price is the lowest at which something suffices, to a few percent; over highestPrice when none does.
func price(floor float64, suffices func(price float64) bool) float64 {
	const step = 1.1
	at := func(i int) float64 { return floor * math.Pow(step, float64(i)) }
	low, high := 0, 0
	for at(high) < highestPrice {
		high++
	}
	switch {
	case suffices(floor):
		return floor
	case !suffices(highestPrice):
		return 2 * highestPrice
	}
	for low < high {
		if mid := (low + high) / 2; suffices(at(mid)) {
			high = mid
		} else {
			low = mid + 1
		}
	}
	return min(at(low), highestPrice)
}

// first is the age at which a call is asked for first.
func (o Outlook) first(h Hint) time.Duration {
	p := o.plan(h)
	if p == nil {
		return 0
	}
	age, _ := p.next(0, 0)
	return seconds(age)
}

func (o Outlook) plan(h Hint) *Plan {
	if h == HintLeft {
		return o.Left
	}
	return o.Media
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
