// Command bridge takes HTTP posts of voice exit flows and publishes each as call.ended: a flow's service call runs when the caller hangs up,
// and cannot speak NATS.
//
//	POST /call-ended
//	Authorization: Bearer <what stands in BRIDGE_TOKEN_FILE>
//	{"botId": "st-…", "sessionId": "…", "caller": "…", …}
//
// It answers 202 once a stream has stored the call, and 503 otherwise: then post it again, repeats are harmless. NATS_URL, NATS_CREDS and
// BRIDGE_ADDR (127.0.0.1:8090) say where. TLS is for the proxy before it.
package main

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const maxBody = 65_536 // the relay takes no larger call

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	token, err := os.ReadFile(os.Getenv("BRIDGE_TOKEN_FILE"))
	if err != nil || len(strings.TrimSpace(string(token))) < 16 {
		return errors.New("BRIDGE_TOKEN_FILE must name a file with a token of 16 characters or more")
	}
	opts := []nats.Option{nats.Name("call-ended bridge"), nats.MaxReconnects(-1), nats.RetryOnFailedConnect(true),
		nats.ReconnectBufSize(-1)} // nothing is buffered: 202 means stored
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
	l, err := net.Listen("tcp", env("BRIDGE_ADDR", "127.0.0.1:8090"))
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("POST /call-ended", bridge{js: js, token: sha256.Sum256([]byte(strings.TrimSpace(string(token))))})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !nc.IsConnected() {
			http.Error(w, "nats is not connected", http.StatusServiceUnavailable)
		}
	})
	s := &http.Server{Handler: mux, ReadTimeout: 10 * time.Second, WriteTimeout: 15 * time.Second, IdleTimeout: time.Minute}
	context.AfterFunc(ctx, func() {
		grace, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = s.Shutdown(grace)
	})
	log.Printf("listening on http://%s", l.Addr())
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func env(name, otherwise string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return otherwise
}

type bridge struct {
	js    jetstream.JetStream
	token [sha256.Size]byte
}

func (b bridge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	given, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if sum := sha256.Sum256([]byte(given)); subtle.ConstantTimeCompare(sum[:], b.token[:]) != 1 {
		http.Error(w, "wrong or missing token", http.StatusUnauthorized)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, "the body cannot be read, or has more than 65,536 bytes", http.StatusRequestEntityTooLarge)
		return
	}
	id, err := messageID(body)
	if err != nil { // a mistake in the flow: better told here than as a dead letter
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	m := nats.NewMsg("call.ended")
	m.Data = body
	m.Header.Set(nats.MsgIdHdr, id) // a flow that posts twice is folded by the stream; later repeats are by the relay
	if trace := r.Header.Get("Traceparent"); trace != "" {
		m.Header["traceparent"] = []string{trace}
	}
	ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
	defer cancel()
	ack, err := b.js.PublishMsg(ctx, m)
	if err != nil {
		log.Printf("not stored: %v", err)
		w.Header().Set("Retry-After", "5")
		http.Error(w, "not stored; post it again, repeats are harmless", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusAccepted)
	fmt.Fprintf(w, `{"stream":%q,"sequence":%d,"duplicate":%t}`+"\n", ack.Stream, ack.Sequence, ack.Duplicate)
}

// messageID is the same for each report of a call.
func messageID(body []byte) (string, error) {
	var call struct{ BotID, StreamID, SessionID string }
	if err := json.Unmarshal(body, &call); err != nil {
		return "", errors.New("the body is not a JSON object with botId and sessionId as strings")
	}
	if call.BotID == "" {
		call.BotID = call.StreamID
	}
	if call.BotID == "" || call.SessionID == "" {
		return "", errors.New("botId (or streamId) and sessionId are required")
	}
	return call.BotID + "/" + call.SessionID, nil
}
