package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A Floor does the relay's main job the plain way: a pull consumer, tuned net/http, encoding/json into small structs, asynchronous publishes
// with ids, each call acknowledged when its verdict is stored. It has no metrics, no ledger, no envelope, no budget, no appointments; what is not
// ready at once it hands back.
type Floor struct {
	NATS, API     string // URLs
	AppID, Secret string
	Concurrency   int
	Ledger        bool // look up each call's record first and write one afterwards, as the relay does
}

// Run works until ctx ends; ready is called when it has begun.
func (f Floor) Run(ctx context.Context, ready func()) error {
	nc, err := nats.Connect(f.NATS)
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(4*f.Concurrency))
	if err != nil {
		return err
	}
	consumer, err := js.Consumer(ctx, callsStream, durable)
	if err != nil {
		return err
	}
	w, err := newWorker(f)
	if err != nil {
		return err
	}
	w.js = js
	if f.Ledger {
		if w.ledger, err = js.KeyValue(ctx, ledgerBucket); err != nil {
			return err
		}
	}
	msgs := make(chan jetstream.Msg)
	consuming, err := consumer.Consume(func(m jetstream.Msg) { msgs <- m }, jetstream.PullMaxMessages(2*f.Concurrency))
	if err != nil {
		return err
	}
	var workers sync.WaitGroup
	for range f.Concurrency {
		workers.Go(func() { // ends when msgs is closed
			for m := range msgs {
				if err := w.handle(ctx, m); err != nil {
					_ = m.NakWithDelay(time.Second)
				}
			}
		})
	}
	ready()
	<-ctx.Done()
	consuming.Stop()
	<-consuming.Closed()
	close(msgs)
	workers.Wait()
	return nil
}

type worker struct {
	Floor
	js     jetstream.JetStream
	ledger jetstream.KeyValue
	http   *http.Client
	token  string
}

func newWorker(f Floor) (*worker, error) {
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"appId": f.AppID, "exp": time.Now().Add(time.Hour).Unix()}).SignedString([]byte(f.Secret))
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost = f.Concurrency, f.Concurrency
	return &worker{Floor: f, token: token, http: &http.Client{Transport: transport, Timeout: 10 * time.Second}}, nil
}

// handle settles one call.
func (w *worker) handle(ctx context.Context, m jetstream.Msg) error {
	var call struct {
		BotID     string `json:"botId"`
		SessionID string `json:"sessionId"`
	}
	if err := json.Unmarshal(m.Data(), &call); err != nil {
		return err
	}
	if w.ledger != nil {
		if _, err := w.ledger.Get(ctx, call.SessionID); err == nil {
			return m.Ack()
		} else if !errors.Is(err, jetstream.ErrKeyNotFound) {
			return err
		}
	}
	v, err := w.ask(ctx, call.BotID, call.SessionID)
	if err != nil {
		return err
	}
	body, err := json.Marshal(map[string]any{"botId": call.BotID, "sessionId": call.SessionID, "transcript": v.text(), "fileUrl": v.Recordings[0].URL, "fileName": v.Recordings[0].Name})
	if err != nil {
		return err
	}
	told, err := w.js.PublishMsgAsync(&nats.Msg{Subject: readySubject, Data: body}, jetstream.WithMsgID(call.SessionID))
	if err != nil {
		return err
	}
	var ack *jetstream.PubAck
	select {
	case ack = <-told.Ok():
	case err := <-told.Err():
		return err
	}
	if w.ledger != nil {
		record := fmt.Sprintf(`{"id":%q,"verdict":"ready","at":%q,"requests":1,"attempts":1,"seq":%d}`, call.SessionID, time.Now().UTC().Format(time.RFC3339Nano), ack.Sequence)
		if _, err := w.ledger.Put(ctx, call.SessionID, []byte(record)); err != nil {
			return err
		}
	}
	return m.Ack()
}

// voicemail is what the floor reads of an answer.
type voicemail struct {
	Recordings []struct {
		Name string `json:"fileName"`
		URL  string `json:"fileUrl"`
	} `json:"voicemail recording"`
	Transcriptions []struct {
		Components []struct {
			Data struct {
				Text string `json:"text"`
			} `json:"data"`
		} `json:"components"`
	} `json:"transcriptions"`
}

func (v voicemail) text() string {
	var all []string
	for _, t := range v.Transcriptions {
		for _, c := range t.Components {
			all = append(all, c.Data.Text)
		}
	}
	return strings.Join(all, "\n")
}

func (w *worker) ask(ctx context.Context, bot, session string) (v voicemail, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.API+"/api/public/bot/"+url.PathEscape(bot)+"/voicemail?sessionId="+url.QueryEscape(session)+"&transcription=true", nil)
	if err != nil {
		return v, err
	}
	req.Header.Set("auth", w.token)
	resp, err := w.http.Do(req)
	if err != nil {
		return v, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return v, err
	}
	if resp.StatusCode != http.StatusOK {
		return v, errors.New("HTTP " + strconv.Itoa(resp.StatusCode))
	}
	if err := json.Unmarshal(body, &v); err != nil {
		return v, err
	}
	if len(v.Recordings) == 0 {
		return v, errors.New("no recording yet")
	}
	return v, nil
}
