package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"go.uber.org/zap"

	"voicemail-relay/internal/bus"
	"voicemail-relay/internal/checkup"
)

// nats looks at the servers, and at all that the relay needs there.
func (d *doctor) nats(ctx context.Context) {
	dial := dialing(d.s.NATS, "doctor", zap.NewNop())
	dial.Inbox = bus.Inbox // what holds for the relay's user is to be seen
	dial.Each = connectWithin / time.Duration(1+strings.Count(d.s.NATS.URL, ","))
	nc, found := bus.Reach(ctx, dial)
	if nc == nil && d.s.NATS.Embedded {
		for i := range found {
			found[i].Grade, found[i].Found, found[i].Hint = checkup.Warn, found[i].Found+": nats.embedded has it run inside of voicemail-relay run", "start voicemail-relay run, then doctor once more"
		}
	}
	d.tell(found...)
	if nc == nil {
		d.tell(checkup.Skipped("streams", "all that the relay needs of NATS", "no server lets doctor in"))
		return
	}
	d.nc = nc
	d.examine(ctx)
}

// examine has bus look at all that the relay needs there.
func (d *doctor) examine(ctx context.Context) {
	cfg := busConfig(d.s, zap.NewNop())
	for _, acct := range d.accounts() {
		cfg.Accounts = append(cfg.Accounts, bus.Account{Name: acct.Name})
	}
	b, err := bus.New(d.nc, cfg)
	if err != nil {
		d.tell(checkup.Failure("nats", "the settings", err.Error(), "correct the settings"))
		return
	}
	d.tell(b.Examine(ctx, bus.Examination{Sync: d.sync(ctx), Since: d.x.since, Stale: d.s.Wait.RecordingFor})...)
}

// sync is how the server writes to its disk, as far as it can be known.
func (d *doctor) sync(ctx context.Context) *bus.Sync {
	if d.s.NATS.Embedded { // see embed
		return &bus.Sync{Always: true}
	}
	if d.x.monitor == "" {
		return nil
	}
	const check = "monitor"
	of := "the NATS server's monitoring port"
	v, err := monitored(ctx, d.x.monitor)
	switch {
	case err != nil:
		d.tell(checkup.Failure(check, of, err.Error(), "set http_port in the server's configuration, and --monitor to its URL, such as http://127.0.0.1:8222"))
		return nil
	case v.ID != d.nc.ConnectedServerId():
		d.tell(checkup.Warning(check, of, "it is another server's than the one that doctor is connected to", "set --monitor to that of "+d.nc.ConnectedServerName()+" at "+d.nc.ConnectedAddr()))
		return nil
	case v.JetStream.Config == nil:
		return nil // said elsewhere: there is no JetStream
	}
	c := v.JetStream.Config
	d.tell(stored(of, v.JetStream.Stats.Store, c.MaxStore))
	return &bus.Sync{Always: c.SyncAlways, Every: c.SyncInterval}
}

// A varz is what is read of a server's /varz.
type varz struct {
	ID        string `json:"server_id"`
	JetStream struct {
		Config *struct {
			MaxStore     uint64        `json:"max_storage"`
			SyncInterval time.Duration `json:"sync_interval"`
			SyncAlways   bool          `json:"sync_always"`
		} `json:"config"`
		Stats struct {
			Store uint64 `json:"storage"`
		} `json:"stats"`
	} `json:"jetstream"`
}

// monitored reads /varz. The error quotes no URL: it may hold a password.
func monitored(ctx context.Context, base string) (v varz, err error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(base, "/")+"/varz", nil)
	if err != nil {
		return v, errors.New("--monitor is no URL")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return v, errors.New("nobody answers there")
	}
	defer func() { _ = resp.Body.Close() }()
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&v); resp.StatusCode != http.StatusOK || err != nil || v.ID == "" {
		return v, fmt.Errorf("what answers there is no NATS server's /varz (HTTP %d)", resp.StatusCode)
	}
	return v, nil
}

// stored tells how much of a server's own store is taken.
func stored(of string, used, most uint64) checkup.Finding {
	const check, hint = "monitor", "raise max_file_store in the server's jetstream {}, or have streams keep less: when it is full, no call is stored"
	text := fmt.Sprintf("%d MiB of the server's %d MiB are stored", used>>20, most>>20)
	switch {
	case most > 0 && used >= most/100*95:
		return checkup.Failure(check, of, text, hint)
	case most > 0 && used >= most/100*80:
		return checkup.Warning(check, of, text, hint)
	}
	return checkup.Good(check, of, "%s", text)
}
