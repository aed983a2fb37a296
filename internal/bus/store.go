package bus

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// store publishes a message into a stream and waits until it is stored. It is what each call does two or three times, and costs half of what
// the client's jetstream package spends on it.
func (x *mailboxes) store(ctx context.Context, m *nats.Msg) (jetstream.PubAck, error) {
	for tries := 0; ; tries++ {
		answer, err := x.request(ctx, m, acknowledges)
		switch {
		case err == nil:
			return ackOf(answer.Data)
		case !errors.Is(err, nats.ErrNoResponders):
			return jetstream.PubAck{}, err
		case tries == 2 || sleep(ctx, 250*time.Millisecond) != nil: // a change of leaders is over by then
			return jetstream.PubAck{}, jetstream.ErrNoStreamResponse
		}
	}
}

// acknowledges says that an answer is a stream's. Whoever hears a verdict may answer it, too, and be quicker.
func acknowledges(answer *nats.Msg) bool {
	if _, ok := plainAck(answer.Data); ok {
		return true
	}
	_, err := ackOf(answer.Data)
	var api *jetstream.APIError
	return err == nil || errors.As(err, &api)
}

// ackOf reads a stream's answer to a publish: {"stream":"VOICEMAILS","seq":7,"duplicate":true}, or an error.
func ackOf(answer []byte) (jetstream.PubAck, error) {
	if seq, ok := plainAck(answer); ok {
		return jetstream.PubAck{Sequence: seq}, nil
	}
	var full struct {
		jetstream.PubAck
		Error *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(answer, &full); err != nil {
		return jetstream.PubAck{}, fmt.Errorf("read the stream's answer: %w", err)
	}
	if full.Error != nil {
		return jetstream.PubAck{}, full.Error
	}
	if full.Sequence == 0 || full.Stream == "" {
		return jetstream.PubAck{}, jetstream.ErrInvalidJSAck
	}
	return full.PubAck, nil
}

// plainAck reads the answer that nearly always comes, and is not ok with any other. (A quote within a stream's name would be escaped: what is
// looked for is found in its place alone.)
func plainAck(answer []byte) (seq uint64, ok bool) {
	_, rest, ok := bytes.Cut(answer, []byte(`"seq":`))
	if !ok || !bytes.HasPrefix(answer, []byte(`{"stream":"`)) || bytes.Contains(answer, []byte(`"error"`)) || bytes.Contains(answer, []byte(`"duplicate"`)) {
		return 0, false
	}
	n := 0
	for n < len(rest) && rest[n] >= '0' && rest[n] <= '9' {
		n++
	}
	seq, err := strconv.ParseUint(string(rest[:n]), 10, 64)
	return seq, err == nil && seq > 0 && n < len(rest) && (rest[n] == ',' || rest[n] == '}')
}
