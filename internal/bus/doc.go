// Package bus takes calls in from NATS and settles what was decided about them: it publishes verdicts, keeps appointments and lines, and
// remembers in the ledger. It decides nothing, and is the only package that knows NATS.
//
// # What is promised
//
// Every call that a stream has confirmed ends in exactly one verdict: ready, absent or failed. None is lost, and none is told twice to
// readers of the stream of verdicts. (A plain subscriber may hear one again after a crash, under the same ce-id.)
//
//   - A call is acknowledged only after its verdict, or its next appointment, is stored and confirmed. Whatever happens before, it is handed
//     out again.
//   - A verdict is published under an id that follows from the session alone, whatever the verdict; the stream folds a second one for
//     ledger.keep. When it did, what the stream holds is what ledger, log and metrics tell.
//   - A session has one chain of messages in the work stream. The first stands only where there is none, each further one only behind the
//     delivery in hand: a repeat, or a delivery that was handed out twice, can neither fork it nor take its history.
//   - A publish whose outcome is unknown is done again: each is guarded by an id or by compare-and-set. While nothing can be written, no
//     further call is taken, and /readyz says so.
//   - A call whose recording was once seen ends ready. What a delivery saw that lost its place to another one is added to what stands, and no
//     other verdict is told without a look at the chain.
//   - A call that stops the program again and again ends failed (undeliverable), after over 20 hand-outs that began and came to nothing; one
//     that merely waited through as many restarts does not.
//
// # Under which faults
//
// kill -9 of any number of relays at any moment; SIGSTOP beyond ack_wait; two relays with the same delivery in hand; kill -9 and restart of
// the server, which forgets acknowledgements and delivery counts; networks that break, stall or are half open; a full store; appointments
// that the server did not fire; accounts that are renamed while calls wait; durables, the ledger's bucket and the work stream deleted or
// purged; a durable that hands out nothing; an API that is down, slow, cut off, rate limited or refuses the credentials for hours; in a
// cluster of three the death of a leader, its stepping down, and the loss and return of the quorum.
//
// What an operator purges is gone by his will. It is counted (voicemail_relay_incidents_total, kind purged) and named in the log.
//
// # How it is tested
//
//   - TestSimulation (cmd/voicemail-relay) drives the code that ships, one or two relays between a real server and the API's emulator, in
//     virtual time through a day of the faults above, by seed: it dies before, within and after each kind of write, which is where side
//     effects are. Then all is mended, and it has to drain. Each session's verdicts are held to what had to become of it; every event to
//     its schema, logs and metrics to holding no secret, requests to the one budget of all relays. One seed takes some 30 s:
//     go test ./cmd/voicemail-relay -run TestSimulation -sim.first 1 -sim.seeds 200 -timeout 0.
//     The seed decides the weather, not the order in which goroutines run: a failing seed fails often, not always.
//   - TestKilledRelaysLoseNothing and its neighbours do it with real processes and sockets; -storm.rounds 50 -storm.calls 20000 is the long
//     version.
//   - .ci/mutate breaks the program in small ways, one at a time (.ci/mutants), and shows that tests notice each.
//   - Fuzzers feed garbage to the parsers of calls, answers, headers, links and settings.
//
// # What is not covered
//
//   - Power failure. By default a NATS server writes to the disk every two minutes, and confirms before; what it had confirmed since is lost
//     with the machine. Run three replicas (nats.replicas) and set jetstream sync_interval: always where that matters. The server of
//     nats.embedded syncs always.
//   - A stream of calls that drops calls before they are handled: max_age, max_msgs, max_bytes or an operator. Limits that are too small are
//     refused at start, where they can be seen.
//   - The ledger lost and the stream of verdicts purged at once: nothing remembers that a call was told.
//   - A delivery that the server's clock dates into the future. The relay's and the server's clocks are taken to agree within seconds.
//   - Two relays that ask for one call in the same moment spend two requests; the verdict is one. Where one of them hears no in the moment in
//     which the other sees a recording, failed may be on its way already.
package bus
