package main

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing/synctest"
	"time"

	emu "voicemail-relay/internal/smartassist/smartassisttest"
)

// weather lets something happen.
func (s *sim) weather() {
	i := s.rng.IntN(s.many)
	switch s.rng.IntN(18) {
	case 0:
		s.restartServer(false)
	case 1:
		s.restartServer(true)
	case 2, 3:
		s.cut(i)
	case 4, 5:
		s.stall(i)
	case 6:
		s.kill(i)
	case 7, 8, 9:
		s.crash(i)
	case 10:
		s.note("deploy", "replica %d", i)
		s.terminate(i)
	case 11, 12:
		s.outage()
	case 13:
		s.wrongCredentials()
	case 14:
		s.fill()
	case 15, 16:
		s.operator()
	case 17:
		s.rename()
	}
}

func (s *sim) minutes(most int) time.Duration {
	return time.Duration(1+s.rng.IntN(most*60)) * time.Second
}

// revive starts relays anew that are gone, mostly.
func (s *sim) revive() {
	for i := range s.many {
		if r := s.relays[i]; r != nil && r.cables.isDead() {
			s.past, s.relays[i] = append(s.past, r), nil
		}
		if s.relays[i] == nil && s.rng.IntN(3) > 0 {
			s.relays[i] = s.replica()
			s.daemon = s.relays[i].daemon
		}
	}
}

func (s *sim) kill(i int) {
	if r := s.relays[i]; r != nil {
		s.note("kill", "replica %d", i)
		r.kill()
	}
}

func (s *sim) terminate(i int) {
	if r := s.relays[i]; r != nil {
		if err := r.terminate(); err != nil {
			s.t.Errorf("run ended with %v", err)
		}
		s.past, s.relays[i] = append(s.past, r), nil
	}
}

// crash has a relay die at its next step of some kind.
func (s *sim) crash(i int) {
	r := s.relays[i]
	if r == nil {
		return
	}
	var words []string
	for w := range steps {
		words = append(words, w)
	}
	slices.Sort(words)
	words = append(words, answer)
	cr := crash{at: words[s.rng.IntN(len(words))], side: []string{"before", "within", "after"}[s.rng.IntN(3)], skip: s.rng.IntN(4)}
	s.note("crash", "replica %d %s %s, after %d", i, cr.side, cr.at, cr.skip)
	r.cables.arm(&cr)
	switch cr.at {
	case "make": // there is something to make
		s.deleteLine()
	case "nak": // it hands back what it holds
		s.terminate(i)
		r.cables.arm(nil)
		return
	}
	for end := time.After(30 * time.Minute); !r.cables.isDead(); {
		select {
		case <-end:
			r.cables.arm(nil)
			return
		case <-time.After(time.Second):
		}
	}
	s.note("died", "%s %s", cr.side, cr.at)
	pass(time.Duration(s.rng.IntN(60)) * time.Second)
}

// cut breaks the connections of one relay, or of all and the publishers'.
func (s *sim) cut(i int) {
	s.note("cut", "replica %d", i)
	for k, r := range s.relays {
		if r != nil && (k == i || s.rng.IntN(2) == 0) {
			r.cables.cut()
		}
	}
}

func (s *sim) stall(i int) {
	if r := s.relays[i]; r != nil {
		d := s.minutes(3)
		s.note("stall", "replica %d for %s", i, d)
		r.cables.stall()
		cut := s.rng.IntN(3) == 0
		s.long(d, func() {
			if cut { // what was on its way never arrives
				r.cables.cut()
			}
			r.cables.flow()
		})
	}
}

// restartServer stops the server for a while; killed, it forgets what it had not written to its files.
func (s *sim) restartServer(killed bool) {
	d := time.Duration(s.rng.IntN(90)) * time.Second
	if killed {
		s.note("server killed", "for %s", d)
		s.snapshot()
	} else {
		s.note("server restart", "for %s", d)
		s.stopServer()
	}
	pass(d)
	s.startServer()
}

// snapshot stops the server and leaves its files as they were in the moment before, as kill -9 does: no goroutine moves while they are
// copied.
func (s *sim) snapshot() {
	synctest.Wait()
	dir := s.t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(s.dir)); err != nil {
		s.t.Fatal(err)
	}
	for _, r := range s.relays {
		if r != nil {
			r.cables.cut()
		}
	}
	s.stopServer()
	_ = filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error { // a day's snapshots would fill the disk
		if err == nil && !d.IsDir() {
			_ = os.Remove(path)
		}
		return nil
	})
	s.dir = dir
}

// outage has the API in trouble for a while.
func (s *sim) outage() {
	troubles := []emu.Step{emu.ServerError(500), emu.ServerError(503), emu.ServerErrorRetryAfter(503, "120"), emu.RateLimited(""), emu.RateLimited("30"),
		emu.RateLimitText(400), emu.Hang(), emu.Slow(9*time.Second, emu.ServerError(502)), emu.Cut(), emu.Reset(), emu.Truncated(), emu.Garbage(), emu.HTML(200), emu.HTML(502), emu.Unauthorized(), emu.Forbidden(), emu.Huge()}
	step := troubles[s.rng.IntN(len(troubles))]
	d := s.minutes(60)
	s.note("outage", "%s for %s", step.Name, d)
	s.emu.Outage(&step)
	s.long(d, func() { s.emu.Outage(nil) })
}

func (s *sim) wrongCredentials() {
	d := s.minutes(180)
	s.note("wrong credentials", "for %s", d)
	s.emu.SetCredentials(testApp, "another-secret")
	s.long(d, func() { s.emu.SetCredentials(testApp, testSecret) })
}

// fill has somebody else use up the store.
func (s *sim) fill() {
	d := s.minutes(20)
	s.note("store full", "for %s", d)
	ctx := context.Background()
	for size := 768 << 10; size > 0; size /= 8 {
		for {
			try, cancel := context.WithTimeout(ctx, 5*time.Second)
			_, err := s.js.Publish(try, "fill", make([]byte, size))
			cancel()
			if err != nil {
				break
			}
		}
	}
	s.long(d, s.empty)
}

func (s *sim) empty() {
	for {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		err := s.emptied(ctx, "FILL")
		cancel()
		if err == nil {
			return
		}
		pass(time.Second)
	}
}

// heal ends the weather and mends everything.
func (s *sim) heal() {
	s.note("heal", "")
	if s.server.Load() == nil {
		s.startServer()
	}
	for _, r := range s.relays {
		if r != nil {
			r.cables.arm(nil)
		}
	}
	close(s.calm)
	s.waits.Wait()
	for i := range s.many {
		if r := s.relays[i]; r != nil && r.cables.isDead() {
			s.past, s.relays[i] = append(s.past, r), nil
		}
		if s.relays[i] == nil {
			s.relays[i] = s.replica()
		}
	}
}
