package bus

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"voicemail-relay/internal/checkup"
)

// schedulesLevel is the level of JetStream's API that knows message schedules: server 2.12's.
const schedulesLevel = 2

// store looks whether there is JetStream for this account, and how much room. False: there is none.
func (e *examiner) store(ctx context.Context) bool {
	const check, of = "store", "the NATS account's JetStream"
	if !e.grants.mayPublish(api("INFO")) {
		e.tell(checkup.Skipped(check, of, "the NATS user may not look at it (publish %s)", api("INFO")))
		return true
	}
	try, cancel := asking(ctx)
	defer cancel()
	info, err := e.b.js.AccountInfo(try)
	if err != nil {
		if Explained(err) != err {
			e.tell(checkup.Failure(check, of, "it is not enabled on the server, or not for this account, or still starting", "enable it in the server's configuration (jetstream {}, or nats-server -js)"))
			return false
		}
		e.tell(e.unseen(check, of, err))
		return false
	}
	e.level = info.API.Level
	tiers := info.Tiers
	if len(tiers) == 0 {
		tiers = map[string]jetstream.Tier{"": info.Tier}
	}
	for name, t := range tiers {
		e.tell(room(strings.TrimSpace(of+" "+name), t))
	}
	return true
}

// room tells how much of an account's storage is taken. The server refuses to store anything when it is full: calls are then lost at their publisher.
func room(of string, t jetstream.Tier) checkup.Finding {
	const check, hint = "store", "raise the account's max_storage, or have streams keep less (verdicts.keep, nats stream edit)"
	most := t.Limits.MaxStore
	switch {
	case t.Limits.MaxBytesRequired:
		return checkup.Failure(check, of, "every stream has to have max_bytes, and the relay's waiting line must have none", "take max_bytes_required off the account")
	case most < 0:
		return checkup.Good(check, of, "%s stored in %s, no limit for the account", size(t.Store), plural(t.Streams, "stream"))
	case t.Store*100 >= uint64(most)*95:
		return checkup.Failure(check, of, fmt.Sprintf("%s of %s are stored: it is full", size(t.Store), size(uint64(most))), hint)
	case t.Store*100 >= uint64(most)*80:
		return checkup.Warning(check, of, fmt.Sprintf("%s of %s are stored: it will be full", size(t.Store), size(uint64(most))), hint)
	}
	return checkup.Good(check, of, "%s of %s are stored", size(t.Store), size(uint64(most)))
}

func size(n uint64) string {
	switch {
	case n >= 10<<30:
		return fmt.Sprintf("%d GiB", n>>30)
	case n >= 10<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d KiB", (n+1023)>>10)
}

// schedules looks whether appointments fire.
func (e *examiner) schedules() {
	const check, hint = "schedules", "run nats-server 2.12 or later on every node, then voicemail-relay setup"
	work := e.b.cfg.workStream()
	info := e.have[work]
	switch {
	case e.level > 0 && e.level < schedulesLevel:
		e.tell(checkup.Failure(check, "JetStream's API", fmt.Sprintf("its level is %d: it knows no message schedules", e.level), hint))
	case info != nil && !info.Config.AllowMsgSchedules:
		e.tell(checkup.Failure(check, "stream "+work, "it has no message schedules: appointments would never fire", hint))
	case info != nil:
		e.tell(checkup.Good(check, "stream "+work, "it allows message schedules"))
	case e.level > 0:
		e.tell(checkup.Good(check, "JetStream's API", "its level is %d, which knows message schedules", e.level))
	default:
		e.tell(checkup.Skipped(check, "JetStream's API", "its level could not be looked at"))
	}
}

// spans holds how long repeats are folded and sessions remembered to ledger.keep: a call reported again after that is told again.
func (e *examiner) spans() {
	const check, hint = "spans", "run voicemail-relay setup"
	keep := e.b.cfg.LedgerKeep
	verdicts, ledger := e.have[e.b.cfg.verdictStream()], e.have[e.buckets()[0]]
	if verdicts == nil && ledger == nil {
		return // there is nothing to compare
	}
	of := "ledger.keep"
	before := len(e.found)
	if verdicts != nil {
		name := "stream " + verdicts.Config.Name
		switch c, s := verdicts.Config, verdicts.State; {
		case c.Duplicates < keep:
			e.tell(checkup.Failure(check, name, fmt.Sprintf("it folds repeats for %s alone: a verdict may be told twice within ledger.keep (%s)", spoken(c.Duplicates), spoken(keep)), hint))
		// #nosec G115 -- MaxBytes is over 0
		case c.MaxBytes > 0 && s.Msgs > 0 && s.FirstSeq > 1 && s.Bytes+s.Bytes/s.Msgs > uint64(c.MaxBytes) && time.Since(s.FirstTime) < keep:
			e.tell(checkup.Warning(check, name, fmt.Sprintf("max_bytes pushes verdicts out after %s, sooner than ledger.keep (%s)", spoken(time.Since(s.FirstTime).Round(time.Second)), spoken(keep)), "raise its max_bytes (nats stream edit), or lower ledger.keep"))
		}
	}
	if ledger != nil && ledger.Config.MaxAge > 0 && ledger.Config.MaxAge < keep {
		e.tell(checkup.Failure(check, "bucket "+e.b.cfg.ledgerBucket(), fmt.Sprintf("it forgets sessions after %s, sooner than ledger.keep (%s)", spoken(ledger.Config.MaxAge), spoken(keep)), hint))
	}
	if len(e.found) == before {
		e.tell(checkup.Good(check, of, "repeats are folded and sessions remembered for %s", spoken(keep)))
	}
}

// replicas looks how many copies there are of each stream, and whether all are well.
func (e *examiner) replicas() {
	const check = "replicas"
	clustered := e.b.nc.ConnectedClusterName() != ""
	before := len(e.found)
	var single []string
	for _, name := range e.names() {
		info := e.have[name]
		if info == nil {
			continue
		}
		of := "stream " + name
		if info.Config.Storage == jetstream.MemoryStorage {
			f := checkup.Failure(check, of, "it is kept in memory: a restart of the server loses what it holds", "make it anew with storage on file")
			if name == e.calls {
				f.Grade = checkup.Warn
			}
			e.tell(f)
		}
		if clustered && info.Config.Replicas < 2 {
			single = append(single, name)
		}
		if f, ok := copies(of, info.Cluster); !ok {
			e.tell(f)
		}
	}
	if len(single) > 0 {
		e.tell(checkup.Warning(check, "streams "+strings.Join(single, ", "), "one copy each, on a cluster: the loss of one node stops them, that of its disk loses calls", "set nats.replicas to 3 and run voicemail-relay setup; of a stream that others made, nats stream edit --replicas 3"))
	}
	switch {
	case len(e.found) > before:
	case len(e.have) == 0:
	case clustered:
		e.tell(checkup.Good(check, "every stream", "several copies on file, all current"))
	default:
		e.tell(checkup.Good(check, "every stream", "on file, on the one server that there is"))
	}
}

// copies looks at the nodes that hold a stream.
func copies(of string, c *jetstream.ClusterInfo) (f checkup.Finding, ok bool) {
	const check = "replicas"
	if c == nil {
		return f, true
	}
	if c.Leader == "" {
		return checkup.Failure(check, of, "it has no leader: too few of its nodes are there", "bring the nodes of the cluster back"), false
	}
	var away []string
	for _, r := range c.Replicas {
		if r.Offline || !r.Current {
			away = append(away, r.Name)
		}
	}
	if len(away) > 0 {
		return checkup.Warning(check, of, "copies that are away or behind: "+strings.Join(away, ", "), "look at those nodes; one more lost may stop the stream"), false
	}
	return f, true
}

// names are the streams that a relay works with, calls first.
func (e *examiner) names() (names []string) {
	if e.calls != "" {
		names = append(names, e.calls)
	}
	for _, want := range e.own() {
		names = append(names, want.Name)
	}
	return append(names, e.buckets()...)
}

// fsync says what a power failure can cost: a server confirms what it has not written to its disk yet.
func (e *examiner) fsync() {
	const check, of = "fsync", "what a power failure loses"
	const hint = "set sync_interval: always in the server's jetstream {}, or have three replicas on nodes that do not lose power together"
	copies := e.b.cfg.Replicas
	for _, info := range e.have {
		copies = min(copies, info.Config.Replicas)
	}
	switch {
	case e.Sync != nil && e.Sync.Always:
		e.tell(checkup.Good(check, of, "nothing: every message is on the disk before it is confirmed"))
	case copies >= 3:
		e.tell(checkup.Good(check, of, "nothing, unless %d nodes lose power together; then sync_interval: always alone helps", copies))
	case e.Sync != nil:
		e.tell(checkup.Warning(check, of, fmt.Sprintf("confirmed calls and verdicts of up to %s: the server writes to its disk that seldom", spoken(e.Sync.Every)), hint))
	default:
		e.tell(checkup.Warning(check, of, "not known: the server tells no client how often it writes to its disk (every 2 minutes by default)", hint+"; --monitor URL has doctor look at the server's monitoring port"))
	}
}
