// Command consumer reads voicemail.ready and keeps each voicemail in a folder: the event as <name>.json, its recording as <name>.wav. What it
// does per event stands in keep; put your own work there.
//
//	NATS_URL            nats://127.0.0.1:4222
//	NATS_CREDS          a .creds file, if the server wants one
//	VOICEMAIL_DIR       voicemails
//	VOICEMAIL_ORIGINS   where recordings may be fetched from, such as https://files.example.com; several separated by commas
package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	maxFile  = 100 << 20 // bytes of a recording
	maxTries = 20        // then an event is kept without its recording
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		log.Fatal(err)
	}
}

func env(name, otherwise string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return otherwise
}

func run(ctx context.Context) error {
	c := consumer{dir: env("VOICEMAIL_DIR", "voicemails"), origins: strings.Split(os.Getenv("VOICEMAIL_ORIGINS"), ",")}
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return err
	}
	opts := []nats.Option{nats.Name("voicemail consumer"), nats.MaxReconnects(-1), nats.RetryOnFailedConnect(true)}
	if creds := os.Getenv("NATS_CREDS"); creds != "" {
		opts = append(opts, nats.UserCredentials(creds))
	}
	nc, err := nats.Connect(env("NATS_URL", nats.DefaultURL), opts...)
	if err != nil {
		return errors.New("NATS_URL or NATS_CREDS cannot be used") // the error may quote a password
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	// Durable: it goes on where it stopped. Run as many of this program as you like, they share the work.
	durable, err := js.CreateOrUpdateConsumer(ctx, "VOICEMAILS", jetstream.ConsumerConfig{Durable: "example-go", FilterSubject: "voicemail.ready",
		AckPolicy: jetstream.AckExplicitPolicy, AckWait: 2 * time.Minute, MaxAckPending: 100})
	if err != nil {
		return err
	}
	messages, err := durable.Messages(jetstream.PullMaxMessages(1)) // one in hand: AckWait runs from when it is pulled
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, messages.Stop)
	log.Print("reading voicemail.ready")
	for {
		m, err := messages.Next()
		switch {
		case errors.Is(err, jetstream.ErrMsgIteratorClosed):
			return nil
		case err != nil: // the client is trying to reconnect
			log.Printf("waiting for NATS: %v", err)
			continue
		}
		if err := settle(m, c.keep(m)); err != nil {
			log.Printf("not acknowledged, it will come again: %v", err)
		}
	}
}

// errNever says that an event will never be one that can be worked on.
var errNever = errors.New("this is no voicemail.ready")

// settle acknowledges after the work, and says when to come again if it could not be done.
func settle(m jetstream.Msg, err error) error {
	switch {
	case err == nil:
		return m.Ack()
	case errors.Is(err, errNever):
		log.Printf("left out: %v", err)
		return m.TermWithReason("no voicemail.ready")
	}
	log.Printf("tried again in 10 s: %v", err)
	return m.NakWithDelay(10 * time.Second)
}

// voicemail is what this program uses of the event. It ignores what else there is: fields are added over time.
type voicemail struct {
	BotID            string    `json:"botId"`
	SessionID        string    `json:"sessionId"`
	Transcript       string    `json:"transcript"`
	TranscriptStatus string    `json:"transcriptStatus"`
	FileURL          string    `json:"fileUrl"`
	FileURLExpiresAt time.Time `json:"fileUrlExpiresAt"` // zero: the link does not tell
}

// read takes a CloudEvent apart, in binary or structured mode. The id is the same whenever the same verdict comes again.
func read(m jetstream.Msg) (id string, body []byte, v voicemail, err error) {
	h := m.Headers()
	id, kind, body := h.Get("ce-id"), h.Get("ce-type"), m.Data()
	if strings.HasPrefix(h.Get("Content-Type"), "application/cloudevents+json") {
		var e struct {
			ID, Type string
			Data     json.RawMessage
		}
		if err := json.Unmarshal(body, &e); err != nil {
			return "", nil, v, errNever
		}
		id, kind, body = e.ID, e.Type, e.Data
	}
	if id == "" || kind != "voicemail.ready" || json.Unmarshal(body, &v) != nil || v.SessionID == "" || v.FileURL == "" {
		return "", nil, v, errNever
	}
	return id, body, v, nil
}

type consumer struct {
	dir     string
	origins []string
}

// keep works on one event. It does so once for each id, however often the event is delivered: the .json file is written last, at once, and says
// that all is done. With a database, that is a unique key on the id, in the transaction of the work itself.
func (c consumer) keep(m jetstream.Msg) error {
	id, body, v, err := read(m)
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(id)) // an id is any text: no name for a file
	path := filepath.Join(c.dir, hex.EncodeToString(sum[:16]))
	if _, err := os.Stat(path + ".json"); err == nil {
		return nil
	}
	switch err := c.fetch(v, path+".wav"); {
	case err == nil:
	case errors.Is(err, errGone) || tries(m) >= maxTries:
		// The event is worth keeping without it. A link made anew comes as a voicemail.ready of its own, with another id.
		log.Printf("no recording of session %s: %v; for another link: voicemail-relay publish %s %s --again", v.SessionID, err, v.BotID, v.SessionID)
	default:
		return err
	}
	if err := os.WriteFile(path+".part", body, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".part", path+".json")
}

func tries(m jetstream.Msg) uint64 {
	if md, err := m.Metadata(); err == nil {
		return md.NumDelivered
	}
	return 0
}

// errGone says that a link will not work any more, or must not be used.
var errGone = errors.New("the link cannot be used")

// client follows no redirect: it would lead around origins.
var client = http.Client{Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// fetch saves the recording. The link is a credential: it stands in no error and no log. And it is somebody else's text: only known origins are
// asked, or an event could have this program read what stands on your own network.
func (c consumer) fetch(v voicemail, file string) error {
	u, err := url.Parse(v.FileURL)
	if err != nil || u.User != nil || !slices.Contains(c.origins, u.Scheme+"://"+u.Host) {
		return fmt.Errorf("%w: its origin is not among VOICEMAIL_ORIGINS", errGone)
	}
	if !v.FileURLExpiresAt.IsZero() && time.Now().After(v.FileURLExpiresAt) {
		return fmt.Errorf("%w: it expired at %s", errGone, v.FileURLExpiresAt.Format(time.RFC3339))
	}
	resp, err := client.Get(v.FileURL)
	if err != nil {
		return fmt.Errorf("the recording's host does not answer: %w", errors.Unwrap(err)) // without the URL
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusGone:
		return fmt.Errorf("%w: HTTP %d, it has expired or was revoked", errGone, resp.StatusCode)
	default:
		return fmt.Errorf("the recording's host answers HTTP %d", resp.StatusCode)
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600) // #nosec G304 -- its name is a hash
	if err != nil {
		return err
	}
	n, err := io.Copy(f, io.LimitReader(resp.Body, maxFile+1))
	if err = errors.Join(err, f.Close()); err == nil && n > maxFile {
		err = fmt.Errorf("%w: the recording has more than %d bytes", errGone, maxFile)
	}
	if err != nil {
		_ = os.Remove(file)
	}
	return err
}
