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

// audit names and counts what operators purge out of the relay's streams: it is gone by their will, and nobody should have to guess where
// calls went. The replicas share the advisories, so that each purge is counted once. Where the permission is missing, nothing is told.
func (b *Bus) audit(calls string) (stop func(), err error) {
	ours := map[string]bool{calls: true, b.cfg.workStream(): true, b.cfg.verdictStream(): true, "KV_" + b.cfg.ledgerBucket(): true}
	sub, err := b.nc.QueueSubscribe(auditSubject, b.cfg.durable(), func(m *nats.Msg) {
		if !bytes.Contains(m.Data, []byte("$JS.API.STREAM.PURGE.")) {
			return
		}
		if stream, n, who := purgeOf(m.Data); ours[stream] && n > 0 {
			b.incident(IncidentPurged, n, "an operator purged messages: what they stood for is gone, and the relay goes on without", zap.String("stream", stream), zap.String("by", who))
		}
	})
	if err != nil {
		return nil, fmt.Errorf("subscribe to %s: %w", auditSubject, err)
	}
	return func() { _ = sub.Unsubscribe() }, nil
}

// purgeOf reads an advisory of a purge that succeeded.
func purgeOf(data []byte) (stream string, purged int, who string) {
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
		return "", 0, ""
	}
	stream, ok := strings.CutPrefix(adv.Subject, "$JS.API.STREAM.PURGE.")
	if !ok {
		return "", 0, ""
	}
	return stream, resp.Purged, strings.Join(strings.Fields(adv.Client.Name+" "+adv.Client.User+" "+adv.Client.Host), " ")
}
