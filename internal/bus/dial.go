package bus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/zap"
)

// Dialing is how a server is reached.
type Dialing struct {
	URL                       string // several separated by commas
	CredentialsFile           string // credentials, or the seed of an nkey
	CAFile, CertFile, KeyFile string
	Inbox                     string        // where answers arrive: a prefix; empty: the client's own, _INBOX
	Name                      string        // of the connection, for operators
	Wait                      bool          // keep trying in the background when no server answers; else Dial fails within 5 s
	Each                      time.Duration // for one of the servers to answer; 0: 5 s
	Failed                    func(error)   // told why a try failed; may be nil
	Log                       *zap.Logger
	Options                   []nats.Option // further ones, such as an embedded server's
}

// Dial connects. Publishing while disconnected fails at once instead of being buffered (ReconnectBufSize −1): only so does an error mean
// what it says. A server that denies the credentials is tried again: rotating them must not end the relay.
func Dial(d Dialing) (*nats.Conn, error) {
	nc, err := d.dial()
	if err != nil {
		return nil, fmt.Errorf("nats: connect: %w", d.Refused(err))
	}
	return nc, nil
}

// dial is Dial, with the client's own errors.
func (d *Dialing) dial() (*nats.Conn, error) {
	if d.Each <= 0 {
		d.Each = 5 * time.Second
	}
	var told time.Time // the client's callbacks come one by one
	opts := []nats.Option{
		nats.Name(d.Name),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(500 * time.Millisecond),
		nats.ReconnectBufSize(-1),
		nats.PingInterval(20 * time.Second),
		nats.Timeout(d.Each),
		nats.IgnoreAuthErrorAbort(),
		nats.RetryOnFailedConnect(d.Wait),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			d.Log.Warn("nats reports an error; a permission that is denied looks like a time-out elsewhere", zap.Error(err))
		}),
		nats.DisconnectErrHandler(func(nc *nats.Conn, err error) {
			if !nc.IsClosed() && err != nil {
				d.Log.Warn("nats connection lost; trying to reconnect", zap.Error(err))
			}
		}),
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) {
			if d.Failed != nil {
				d.Failed(err)
			}
			if now := time.Now(); !errors.Is(err, nats.ErrNoServers) && now.Sub(told) >= tellEvery { // that one says less than the next will
				told = now
				d.tellUnreached(d.Log, err)
			}
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) {
			d.Log.Info("nats connection is back", zap.String("server", nc.ConnectedServerName()))
		}),
	}
	if d.Inbox != "" {
		opts = append(opts, nats.CustomInboxPrefix(d.Inbox))
	}
	creds := &credentials{file: d.CredentialsFile}
	if d.CredentialsFile != "" {
		opt, err := creds.option()
		if err != nil {
			return nil, err
		}
		opts = append(opts, opt)
	}
	if d.CAFile != "" {
		opts = append(opts, nats.RootCAs(d.CAFile))
	}
	if d.CertFile != "" {
		opts = append(opts, nats.ClientCert(d.CertFile, d.KeyFile))
	}
	nc, err := nats.Connect(d.URL, append(opts, d.Options...)...)
	if err != nil {
		return nil, err
	}
	creds.of(nc)
	return nc, nil
}

// tellEvery is how often a server that cannot be reached is logged.
const tellEvery = time.Minute

func (d *Dialing) tellUnreached(log *zap.Logger, err error) {
	log.Warn("nats cannot be reached; trying on", zap.Error(d.Refused(err)))
}

// reached waits for the server as Connected does, as long as it takes. What a server says that refuses is logged now and then: the client
// tells only of the first time.
func (b *Bus) reached(ctx context.Context) error {
	for {
		try, cancel := context.WithTimeout(ctx, tellEvery)
		err := Connected(try, b.nc)
		cancel()
		if ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		if err := b.nc.LastError(); err != nil {
			b.cfg.Dialing.tellUnreached(b.cfg.Log, err)
		}
	}
}

// Connected waits until a connection of Dial's is there and its server is one that can work: 2.12 or later, since older ones accept
// appointments and never fire them, and with room for a verdict.
func Connected(ctx context.Context, nc *nats.Conn) error {
	status := nc.StatusChanged(nats.CONNECTED, nats.CLOSED)
	defer nc.RemoveStatusListener(status)
	for !nc.IsConnected() {
		select {
		case <-status:
		case <-ctx.Done():
			return ctx.Err()
		}
		if nc.IsClosed() {
			return nats.ErrConnectionClosed
		}
	}
	return checkServer(nc)
}

// ErrServer marks what an operator has to mend before the relay can work.
var ErrServer = errors.New("nats")

func checkServer(nc *nats.Conn) error {
	if err := checkVersion(nc.ConnectedServerVersion()); err != nil {
		return err
	}
	return checkPayload(nc.MaxPayload())
}

func checkPayload(most int64) error {
	if most < leastMessage {
		return fmt.Errorf("%w: the server's max_payload is %d bytes, into which not every verdict fits: raise it to %d at least, better to the default of 1MB", ErrServer, most, leastMessage)
	}
	return nil
}

func checkVersion(v string) error {
	major, rest, _ := strings.Cut(strings.TrimPrefix(v, "v"), ".")
	minor, _, _ := strings.Cut(rest, ".")
	ma, err1 := strconv.Atoi(major)
	mi, err2 := strconv.Atoi(minor)
	if err1 != nil || err2 != nil { // a build of its own; what it can do shows when the streams are made
		return nil
	}
	if ma < 2 || ma == 2 && mi < 12 {
		return fmt.Errorf("%w: server %s is too old: it would accept the relay's appointments and never fire them; run nats-server 2.12 or later", ErrServer, v)
	}
	return nil
}
