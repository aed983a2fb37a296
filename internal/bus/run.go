package bus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/zap"
)

// Run takes calls and settles them until ctx ends, and returns nil then. It waits for a server as long as it takes; an error is something
// that an operator has to mend (ErrServer, ErrSetup).
func (b *Bus) Run(ctx context.Context, h Handler) error {
	calls, err := b.begin(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	b.mu.Lock()
	b.calls = calls
	b.mu.Unlock()
	deaf, err := b.audit(calls)
	if err != nil {
		return err
	}
	defer deaf()
	pull, stop := context.WithCancel(ctx)
	defer stop()
	work, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	var loops sync.WaitGroup
	handlers := newCrew()
	defer handlers.dismiss()
	begin := handlers.begin // what is begun ends when it has settled, or with work
	loops.Go(func() { b.extend(work) })
	var pulling sync.WaitGroup
	failed := make(chan error, 2)
	pulling.Go(func() {
		if err := b.intake(pull, work, h, begin); err != nil {
			failed <- err
		}
	})
	for _, a := range b.cfg.Accounts {
		l, lineErr := b.newLine(a)
		if lineErr != nil {
			failed <- lineErr
			break
		}
		pulling.Go(func() { l.run(pull, work, h, begin) })
	}
	b.health.set("start", nil)
	pulling.Go(func() { b.keep(pull, work, h, begin) })
	select {
	case <-ctx.Done():
	case err = <-failed:
	}

	// stop pulling → finish what we hold → hand back the rest → flush
	b.health.set("stop", errors.New("shutting down"))
	stop()
	finished := make(chan struct{})
	go func() { pulling.Wait(); handlers.wait(); close(finished) }() // ends with the handlers, which work ends
	select {
	case <-finished:
	case <-time.After(b.cfg.Grace):
		b.cfg.Log.Warn("shutdown_grace is over: handing back what is under way", zap.Int("calls", b.flight.count()))
	}
	cancel(errors.New("shutdown_grace is over"))
	<-finished
	loops.Wait()
	b.flush(2 * time.Second)
	return err
}

// begin waits for the server and makes what is missing there.
func (b *Bus) begin(ctx context.Context) (calls string, err error) {
	if err := b.reached(ctx); err != nil {
		return "", err
	}
	for failures := 0; ; failures++ {
		try, cancel := context.WithTimeout(ctx, 10*time.Second)
		var changes []string
		if err = b.checkPermissions(try, ""); err == nil {
			changes, calls, err = b.Setup(try, false)
		}
		if err == nil {
			err = b.checkPermissions(try, calls)
		}
		cancel()
		for _, c := range changes {
			b.cfg.Log.Info(c)
		}
		switch {
		case err == nil:
			return calls, nil
		case errors.Is(err, ErrSetup), ctx.Err() != nil:
			return "", err
		}
		b.health.set("start", fmt.Errorf("streams and consumers: %w", err))
		b.cfg.Log.Warn("cannot look up streams and consumers; trying again", zap.Error(err))
		if err := sleep(ctx, pause(failures)); err != nil {
			return "", err
		}
	}
}

// restore makes again what somebody deleted, and says whether anything was missing. Of many that notice, one does it.
func (b *Bus) restore(ctx context.Context) (mended bool, err error) {
	if !b.restoring.TryLock() {
		return false, nil
	}
	defer b.restoring.Unlock()
	changes, calls, err := b.Setup(ctx, false)
	if err == nil {
		b.mu.Lock()
		mended = b.calls != "" && b.calls != calls
		b.calls = calls
		b.mu.Unlock()
	}
	for _, c := range changes {
		b.incident(IncidentRestored, 1, "was missing: "+c)
	}
	return mended || len(changes) > 0, err
}

// extend keeps what is in hand from being handed out again, until ctx ends.
func (b *Bus) extend(ctx context.Context) {
	every := func() time.Duration { return max(b.flight.interval()/2, time.Millisecond) }
	t := time.NewTicker(every())
	defer t.Stop()
	for {
		select {
		case now := <-t.C:
			for _, m := range b.flight.due(now) {
				_ = m.Respond([]byte("+WPI"))
			}
		case <-b.flight.sooner: // a durable hands out sooner than was known at the start
			t.Reset(every())
		case <-ctx.Done():
			return
		}
	}
}

// reconnected tells each time the connection is back, until forget is called.
func (b *Bus) reconnected() (back <-chan nats.Status, forget func()) {
	ch := b.nc.StatusChanged(nats.CONNECTED)
	return ch, func() { b.nc.RemoveStatusListener(ch) }
}

// flush waits until the server has what was sent. (Not FlushTimeout: the client's pool of timers is shared with other bubbles of virtual
// time.)
func (b *Bus) flush(d time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	_ = b.nc.FlushWithContext(ctx)
}
