package bus

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"go.uber.org/zap"
)

// auditSubject is where the server tells of every call of JetStream's API in the account.
const auditSubject = "$JS.EVENT.ADVISORY.API"

// What takes messages away, by the subject of the API.
const (
	purges  = "$JS.API.STREAM.PURGE."
	deletes = "$JS.API.STREAM.DELETE."
	picks   = "$JS.API.STREAM.MSG.DELETE."
)

// audit names and counts what operators take out of the relay's streams: it is gone by their will, and nobody should have to guess where
// calls went. The replicas share the advisories, so that each removal is counted once. Where the permission is missing, nothing is told.
func (b *Bus) audit(calls string) (stop func(), err error) {
	ours := map[string]bool{calls: true, b.cfg.workStream(): true, b.cfg.verdictStream(): true, "KV_" + b.cfg.ledgerBucket(): true}
	sub, err := b.nc.QueueSubscribe(auditSubject, b.cfg.durable(), func(m *nats.Msg) {
		if !bytes.Contains(m.Data, []byte("$JS.API.STREAM.PURGE.")) && !bytes.Contains(m.Data, []byte("DELETE.")) {
			return
		}
		r, ok := removalOf(m.Data)
		if !ok || !ours[r.stream] {
			return
		}
		what := "an operator purged messages"
		switch {
		case r.by == deletes:
			what = "an operator deleted a stream, and its messages as far as they were counted"
			r.n = b.counted(r.stream)
		case r.n == 0, r.by == picks && r.stream == b.cfg.verdictStream(): // failed purge picks letter by letter, and says so itself
			return
		}
		b.incident(IncidentPurged, r.n, what+": what they stood for is gone, and the relay goes on without", zap.String("stream", r.stream), zap.String("by", r.who))
	})
	if err != nil {
		return nil, fmt.Errorf("subscribe to %s: %w", auditSubject, err)
	}
	return func() { _ = sub.Unsubscribe() }, nil
}

// counted is how many messages a stream held when the keeper last looked, 0 where it does not.
func (b *Bus) counted(stream string) int {
	if stream != b.cfg.workStream() {
		return 0
	}
	return int(b.stood.Swap(0)) // #nosec G115 -- a number of messages
}

// A removal is messages that somebody took out of a stream.
type removal struct {
	by, stream, who string
	n               int
}

// removalOf reads an advisory of a removal that succeeded.
func removalOf(data []byte) (r removal, ok bool) {
	var adv struct {
		Subject  string `json:"subject"`
		Response string `json:"response"`
		Client   struct {
			Name string `json:"name"`
			User string `json:"user"`
			Host string `json:"host"`
		} `json:"client"`
	}
	var resp struct {
		Success bool `json:"success"`
		Purged  int  `json:"purged"`
	}
	if json.Unmarshal(data, &adv) != nil || json.Unmarshal([]byte(adv.Response), &resp) != nil || !resp.Success {
		return r, false
	}
	r.who = strings.Join(strings.Fields(adv.Client.Name+" "+adv.Client.User+" "+adv.Client.Host), " ")
	for by, n := range map[string]int{purges: resp.Purged, deletes: 0, picks: 1} {
		if stream, is := strings.CutPrefix(adv.Subject, by); is {
			r.by, r.stream, r.n = by, stream, n
			return r, true
		}
	}
	return r, false
}
