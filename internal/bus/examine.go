package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"voicemail-relay/internal/checkup"
)

// Examination is what Examine cannot learn from NATS itself.
type Examination struct {
	Sync  *Sync         // how the server writes to its disk; nil: not known, it tells no client
	Since time.Duration // how far back dead letters are counted
	Stale time.Duration // a call that stands in line longer than this is told
}

// Sync is when a server's JetStream calls fsync.
type Sync struct {
	Always bool
	Every  time.Duration
}

// An examiner looks at everything that a relay needs of NATS, and changes nothing.
type examiner struct {
	Examination
	b      *Bus
	s      *setup // says how things are to be; none of its methods that make them is called
	grants *grants
	calls  string                           // the stream of calls; "": not known
	have   map[string]*jetstream.StreamInfo // by name; missing: it is not there, or in unseen
	blind  map[string]bool                  // streams that could not be looked at
	ahead  time.Duration                    // of the server's clock
	level  int                              // of JetStream's API; 0: not known
	found  []checkup.Finding
}

// Examine checks what a relay with this Config needs of a server that Reach has found: permissions, limits, streams, durables, how safe all is,
// and what waits. It makes nothing: what run would make is said to be made by it.
func (b *Bus) Examine(ctx context.Context, x Examination) []checkup.Finding {
	e := &examiner{Examination: x, b: b, s: &setup{b: b}, have: map[string]*jetstream.StreamInfo{}, blind: map[string]bool{}}
	e.payload()
	e.grants = b.grants(ctx)
	if denied := b.denied.since(time.Now().Add(-denialLasts)); e.grants == nil && denied != nil { // no answer reaches it: nothing can be looked at
		found, _, _ := strings.Cut(denied.Error(), ": allow")
		e.tell(checkup.Failure("permissions", "the NATS user", found, "allow it to subscribe to "+Inbox+".>, where answers arrive"))
		return e.found
	}
	if !e.store(ctx) {
		e.permissions()
		return e.found
	}
	e.lookUp(ctx)
	e.permissions()
	e.clock()
	e.streams(ctx)
	e.schedules()
	e.durables(ctx)
	e.spans()
	e.replicas()
	e.fsync()
	e.waiting(ctx)
	e.letters(ctx)
	return e.found
}

func (e *examiner) tell(f checkup.Finding) { e.found = append(e.found, f) }

// broken splits an error of setup's into what was found and what to do: it ends with the cure.
func broken(check, of string, err error) checkup.Finding {
	text := strings.TrimPrefix(err.Error(), ErrSetup.Error()+": ")
	text = strings.TrimPrefix(text, of+" ")
	for _, cut := range []string{": run voicemail-relay setup", "; rename or delete", ": delete it", ": set ", ": add the subject", "; raise it", "; set no_ack", ": remove it"} {
		if found, hint, ok := strings.Cut(text, cut); ok {
			return checkup.Failure(check, of, strings.TrimPrefix(found, ": "), strings.TrimLeft(cut, ":; ")+hint)
		}
	}
	return checkup.Failure(check, of, text, "look at it with the nats CLI; voicemail-relay setup says what it can mend")
}

// unseen is what could not be looked at, though the server is there.
func (e *examiner) unseen(check, of string, err error) checkup.Finding {
	if denied := e.b.denied.since(time.Now().Add(-denialLasts)); denied != nil {
		err = denied
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrTimeout) {
		err = errors.New("no answer within " + lookFor.String())
	}
	return checkup.Failure(check, of, "it cannot be looked at: "+err.Error(), "look at the server's log, and at the permissions of the relay's NATS user")
}

// lookFor is how long one question may take.
const lookFor = 3 * time.Second

// spoken is a duration without what is 0: 24h, not 24h0m0s.
func spoken(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// asking bounds one question.
func asking(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, lookFor)
}

// payload looks whether calls and verdicts fit the server.
func (e *examiner) payload() {
	nc := e.b.nc
	of := "server " + nc.ConnectedServerName()
	switch most := nc.MaxPayload(); {
	case most < leastMessage:
		e.tell(checkup.Failure("payload", of, fmt.Sprintf("max_payload is %d bytes, into which not every verdict fits", most), "raise max_payload to the default of 1MB"))
	case most < largestCall:
		e.tell(checkup.Warning("payload", of, fmt.Sprintf("max_payload is %d bytes: the largest calls do not fit, and long transcripts are cut", most), "raise max_payload to the default of 1MB"))
	default:
		e.tell(checkup.Good("payload", of, "max_payload is %d bytes: the largest call fits", most))
	}
}

// permissions holds what the user may do to what a relay does.
func (e *examiner) permissions() {
	const of = "the NATS user"
	missing := e.b.lacks(e.grants, e.calls)
	switch {
	case e.grants == nil:
		e.tell(checkup.Warning("permissions", of, "the server does not tell what it may do: what is denied shows when it is needed", "allow it to publish "+userInfo))
	case len(missing) > 0:
		e.tell(checkup.Failure("permissions", of, "it may not "+strings.Join(missing, ", "), "allow that to the relay's user, or run doctor as that user"))
	case e.grants.publish == nil && e.grants.subscribe == nil:
		e.tell(checkup.Good("permissions", of, "it may do everything"))
	default:
		e.tell(checkup.Good("permissions", of, "it may do all that a running relay does"))
	}
}

// clock compares the server's clock with this machine's. The relay reckons with the difference; people who read times do not.
func (e *examiner) clock() {
	const of = "the NATS server"
	for _, info := range e.have {
		if !info.TimeStamp.IsZero() {
			e.tell(skew(of, e.ahead))
			return
		}
	}
	e.tell(checkup.Skipped("clock", of, "there is no stream yet whose time could be read"))
}

// skew tells how far a server's clock is ahead of this machine's.
func skew(of string, ahead time.Duration) checkup.Finding {
	ahead = ahead.Round(10 * time.Millisecond)
	if ahead.Abs() <= 5*time.Second {
		return checkup.Good("clock", of, "its clock and this machine's differ by %s", ahead.Abs())
	}
	which := "ahead of"
	if ahead < 0 {
		which = "behind"
	}
	return checkup.Warning("clock", of, fmt.Sprintf("its clock is %s %s this machine's", ahead.Abs(), which), "have both keep time by NTP: the relay's dates and the server's disagree")
}
