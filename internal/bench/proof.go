package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"voicemail-relay/internal/smartassist/smartassisttest"
)

// prove reads all verdicts and compares them with the calls: each told once, ready, with what the emulator had for it. Some of the links are
// followed, too.
func prove(ctx context.Context, js jetstream.JetStream, api string, batches ...batch) error {
	s, err := js.Stream(ctx, verdicts)
	if err != nil {
		return err
	}
	consumer, err := s.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverAllPolicy})
	if err != nil {
		return err
	}
	it, err := consumer.Messages(jetstream.PullMaxMessages(2000))
	if err != nil {
		return err
	}
	defer it.Stop()
	emu := emulator()
	missing := map[string]bool{}
	for _, b := range batches {
		for i := range b.calls {
			missing[b.session(i)] = true
		}
	}
	all := len(missing)
	for n := uint64(0); n < s.CachedInfo().State.Msgs; n++ {
		m, err := it.Next(jetstream.NextMaxWait(10 * time.Second))
		if err != nil {
			return fmt.Errorf("read verdict %d: %w", n+1, err)
		}
		session, link, err := check(emu, m)
		if err == nil && n%(1+s.CachedInfo().State.Msgs/5) == 0 {
			err = follow(ctx, api, link)
		}
		if err != nil {
			return fmt.Errorf("verdict %d: %w", n+1, err)
		}
		if !missing[session] {
			return fmt.Errorf("verdict %d: session %s was told before, or never ended", n+1, session)
		}
		delete(missing, session)
	}
	for session := range missing {
		return fmt.Errorf("%d of %d calls have no verdict, session %s among them", len(missing), all, session)
	}
	return nil
}

// check compares one verdict with what the emulator had.
func check(emu *smartassisttest.Server, m jetstream.Msg) (session, link string, err error) {
	var v struct {
		BotID, SessionID, Transcript, FileURL, FileName string
	}
	if m.Subject() != readySubject {
		return "", "", fmt.Errorf("it is a %s: %s", m.Subject(), m.Data())
	}
	if err := json.Unmarshal(m.Data(), &v); err != nil {
		return "", "", err
	}
	want := emu.Planned(v.BotID, v.SessionID)
	switch {
	case v.BotID != bot:
		return "", "", fmt.Errorf("bot %s", v.BotID)
	case v.Transcript != want.Text:
		return "", "", fmt.Errorf("session %s: the transcript is not what was said", v.SessionID)
	case !strings.Contains(v.FileURL, "?") || !strings.HasSuffix(v.FileName, ".wav"):
		return "", "", fmt.Errorf("session %s: no link, or no file", v.SessionID)
	}
	return v.SessionID, v.FileURL, nil
}

// follow downloads a recording.
func follow(ctx context.Context, api, link string) error {
	if !strings.HasPrefix(link, api+"/") {
		return errors.New("the link leads elsewhere")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, link, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("following the link: HTTP %d", resp.StatusCode)
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// sessionOf reads a verdict's session; "" when there is none.
func sessionOf(body []byte) string {
	var v struct {
		SessionID string `json:"sessionId"`
	}
	_ = json.Unmarshal(body, &v)
	return v.SessionID
}
