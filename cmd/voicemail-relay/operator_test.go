package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// emptied purges a stream.
func (s *sim) emptied(ctx context.Context, stream string) error {
	st, err := s.js.Stream(ctx, stream)
	if err != nil {
		return err
	}
	return st.Purge(ctx)
}

// operator is somebody who deletes and purges.
func (s *sim) operator() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	switch s.rng.IntN(8) {
	case 0:
		s.purge("purges VOICEMAIL_WORK", func() error { return s.emptied(ctx, "VOICEMAIL_WORK") })
	case 1:
		s.purge("purges CALLS", func() error { return s.emptied(ctx, "CALLS") })
	case 2:
		s.purge("deletes VOICEMAIL_WORK", func() error { return s.js.DeleteStream(ctx, "VOICEMAIL_WORK") })
	case 3:
		err := s.js.DeleteConsumer(ctx, "CALLS", "voicemail-relay")
		s.note("operator", "deletes the durable: %v", err)
	case 4:
		if s.forgetful {
			err := s.js.DeleteStream(ctx, "KV_VOICEMAIL_LEDGER")
			s.note("operator", "deletes the ledger: %v", err)
		} else {
			s.forgetVerdicts(ctx)
		}
	case 5:
		s.pause(ctx)
	default:
		s.deleteLine()
	}
}

// deleteLine deletes the consumer of a line.
func (s *sim) deleteLine() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if name := s.anyLine(ctx); name != "" {
		err := s.js.DeleteConsumer(ctx, "VOICEMAIL_WORK", name)
		s.note("operator", "deletes %s: %v", name, err)
	}
}

// anyLine is the consumer of a line, "" when there is none.
func (s *sim) anyLine(ctx context.Context) string {
	st, err := s.js.Stream(ctx, "VOICEMAIL_WORK")
	if err != nil {
		return ""
	}
	var names []string
	for info := range st.ListConsumers(ctx).Info() {
		if strings.HasPrefix(info.Name, "line-") {
			names = append(names, info.Name)
		}
	}
	if slices.Sort(names); len(names) == 0 {
		return ""
	}
	return names[s.rng.IntN(len(names))]
}

// pause has a consumer hand out nothing for a while.
func (s *sim) pause(ctx context.Context) {
	stream, name := "CALLS", "voicemail-relay"
	if line := s.anyLine(ctx); line != "" && s.rng.IntN(3) > 0 {
		stream, name = "VOICEMAIL_WORK", line
	}
	d := s.minutes(20)
	_, err := s.js.PauseConsumer(ctx, stream, name, time.Now().Add(d))
	s.note("operator", "pauses %s for %s: %v", name, d, err)
}

// forgetVerdicts purges the stream of verdicts. What the ledger does not hold then may be told once more: nothing remembers it.
func (s *sim) forgetVerdicts(ctx context.Context) {
	kv, err := s.js.KeyValue(ctx, "VOICEMAIL_LEDGER")
	if err != nil {
		return
	}
	st, err := s.js.Stream(ctx, "VOICEMAILS")
	if err != nil {
		return
	}
	told := s.verdicts()
	again := map[string]bool{}
	for _, v := range told {
		e, err := kv.Get(ctx, key("st-1", v.str("sessionId")))
		if err != nil || !strings.Contains(string(e.Value()), v.header.Get("Nats-Msg-Id")) {
			again[v.header.Get("Nats-Msg-Id")] = true
		}
	}
	if len(told) > 0 { // what is told meanwhile stays
		err = st.Purge(ctx, jetstream.WithPurgeSequence(told[len(told)-1].sequence+1))
	}
	s.note("operator", "purges %d of VOICEMAILS, %d of which nobody remembers: %v", len(told), len(again), err)
	if err != nil {
		s.t.Fatalf("whether verdicts are purged is not known: %v", err)
	}
	s.purged = append(s.purged, told...)
	for id := range again {
		s.again[id]++
	}
}

// all is what was told so far, purged or not.
func (s *sim) all() []told { return append(slices.Clone(s.purged), s.verdicts()...) }

// rename deploys all relays with another name of the account: what waits stands in lines that nobody serves any more.
func (s *sim) rename() {
	for i := range s.many {
		s.terminate(i)
	}
	pass(2 * time.Minute) // the new name has a budget of its own
	name := testApp
	if s.settings.SmartAssist.Name == testApp {
		name = "renamed"
	}
	s.settings.SmartAssist.Name = name
	s.note("rename", "the account to %s", name)
	for i := range s.many {
		s.relays[i] = s.replica()
		s.daemon = s.relays[i].daemon
	}
}

// purge does what takes calls away, and marks what had been sent by then and was not told yet: what an operator purges is gone by his will.
// What is only sent afterwards is not.
func (s *sim) purge(what string, do func() error) {
	told, ids, junk := map[string]int{}, map[string]bool{}, 0
	for _, v := range s.all() {
		id := v.header.Get("Nats-Msg-Id")
		if ids[id] { // told once more, see forgetVerdicts
			continue
		}
		ids[id] = true
		if v.str("reason") == "malformed" {
			junk++
			continue
		}
		told[v.str("sessionId")]++
	}
	err := do()
	s.note("operator", "%s: %v", what, err)
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.seen)
	s.spoilt = s.junk - junk
	for _, c := range s.calls {
		if c.sent && told[c.id] < 1+c.replays {
			c.gone = true
		}
	}
}
