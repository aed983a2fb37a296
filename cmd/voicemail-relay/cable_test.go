package main

import (
	"bytes"
	"context"
	"errors"
	"net"
	"sync"
	"testing/synctest"
	"time"
)

// cables carry what one relay says to NATS and to the API, and what it hears. They can be cut and stalled, and they are where it dies: a
// process has side effects nowhere else, so that death before, within or after a write is a crash at every step between two of them.
type cables struct {
	w *world

	mu      sync.Mutex
	dead    bool
	stalled chan struct{} // closed when things flow again; nil while they flow
	conns   map[*cable]struct{}
	crash   *crash
	lost    string // what is said with this word in it never arrives
	died    func() // told once
}

// A crash is a death that waits for its moment.
type crash struct {
	at   string // a word out of steps
	side string // before, within, after
	skip int    // so many of its kind pass first
}

// steps are the side effects of a relay, told by what they look like on the way.
var steps = map[string]func([]byte) int{
	"verdict": func(b []byte) int {
		return firstOf(b, "HPUB voicemail.ready", "HPUB voicemail.absent", "HPUB voicemail.failed")
	},
	"appointment": func(b []byte) int { return firstOf(b, "HPUB voicemail.work.wait.") },
	"place":       func(b []byte) int { return firstOf(b, "HPUB voicemail.work.due.") },
	"note":        func(b []byte) int { return firstOf(b, "PUB $KV.VOICEMAIL_LEDGER.") },
	"look":        func(b []byte) int { return firstOf(b, "PUB $JS.API.DIRECT.GET.KV_VOICEMAIL_LEDGER") },
	"ack":         func(b []byte) int { return firstOf(b, "+ACK") },
	"nak":         func(b []byte) int { return firstOf(b, "-NAK") },
	"make":        func(b []byte) int { return firstOf(b, "$JS.API.CONSUMER.CREATE.", "$JS.API.CONSUMER.DURABLE.CREATE.") },
	"extend":      func(b []byte) int { return firstOf(b, "+WPI") },
	"pull":        func(b []byte) int { return firstOf(b, "PUB $JS.API.CONSUMER.MSG.NEXT.") },
	"request":     func(b []byte) int { return firstOf(b, "GET /api/public/bot/") },
}

// answer is the one step that is heard instead of said: the API has answered, and nobody knows.
const answer = "answer"

func firstOf(b []byte, words ...string) int {
	at := -1
	for _, w := range words {
		if i := bytes.Index(b, []byte(w)); i >= 0 && (at < 0 || i < at) {
			at = i
		}
	}
	return at
}

func newCables(w *world) *cables { return &cables{w: w, conns: map[*cable]struct{}{}} }

// InProcessConn connects to the NATS server of the moment.
func (c *cables) InProcessConn() (net.Conn, error) {
	if c.isDead() {
		return nil, net.ErrClosed
	}
	// A stalled handshake would hold the client's lock, and no goroutine may wait for a lock while virtual time passes.
	if c.gate() != nil {
		return nil, errors.New("time-out")
	}
	conn, err := c.w.InProcessConn()
	if err != nil {
		return nil, err
	}
	return c.join(conn), nil
}

// dial connects to the API.
func (c *cables) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if c.isDead() {
		return nil, net.ErrClosed
	}
	conn, err := c.w.api.dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return c.join(conn), nil
}

func (c *cables) join(conn net.Conn) net.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := &cable{Conn: conn, all: c, closed: make(chan struct{})}
	c.conns[k] = struct{}{}
	return k
}

func (c *cables) isDead() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dead
}

// die is the end of the process: from here on nothing leaves, and nothing comes.
func (c *cables) die() {
	c.mu.Lock()
	was := c.dead
	c.dead = true
	c.mu.Unlock()
	c.cut()
	if !was && c.died != nil {
		c.died()
	}
}

// cut closes every connection; new ones may be made.
func (c *cables) cut() {
	c.mu.Lock()
	var ks []*cable
	for k := range c.conns {
		ks = append(ks, k)
	}
	c.mu.Unlock()
	for _, k := range ks {
		_ = k.Close()
	}
}

// stall lets nothing through any more, without a word, as a network does that drops packets; flow lets go.
func (c *cables) stall() {
	synctest.Wait() // for a handshake, see InProcessConn
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stalled == nil {
		c.stalled = make(chan struct{})
	}
}

func (c *cables) flow() {
	c.mu.Lock()
	stalled := c.stalled
	c.stalled = nil
	var ks []*cable
	for k := range c.conns {
		ks = append(ks, k)
	}
	c.mu.Unlock()
	if stalled == nil {
		return
	}
	for _, k := range ks {
		k.writing.Lock()
		if len(k.held) > 0 {
			_, _ = k.Conn.Write(k.held)
			k.held = nil
		}
		k.writing.Unlock()
	}
	close(stalled)
}

func (c *cables) gate() chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stalled
}

// arm sets the moment of death; nil disarms.
func (c *cables) arm(cr *crash) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.crash = cr
}

// lose has the network lose what holds a word; "" ends that.
func (c *cables) lose(word string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lost = word
}

func (c *cables) loses(b []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lost != "" && bytes.Contains(b, []byte(c.lost))
}

// strikes says how much of what is being said still gets through, if this is the moment.
func (c *cables) strikes(b []byte) (n int, now bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.crash == nil || c.crash.at == answer {
		return 0, false
	}
	at := steps[c.crash.at](b)
	if at < 0 {
		return 0, false
	}
	if c.crash.skip--; c.crash.skip >= 0 {
		return 0, false
	}
	switch c.crash.side {
	case "before":
		return at, true
	case "within":
		return at + (len(b)-at)/2, true
	}
	return len(b), true
}

// A cable is one connection.
type cable struct {
	net.Conn
	all     *cables
	once    sync.Once
	closed  chan struct{}
	writing sync.Mutex
	held    []byte // said while stalled: the network has it, and delivers it later or never
}

func (k *cable) Close() error {
	k.all.mu.Lock()
	delete(k.all.conns, k)
	k.all.mu.Unlock()
	k.once.Do(func() { close(k.closed) })
	return k.Conn.Close()
}

func (k *cable) Write(b []byte) (int, error) {
	k.writing.Lock()
	defer k.writing.Unlock()
	if k.all.isDead() {
		return 0, net.ErrClosed
	}
	if n, now := k.all.strikes(b); now {
		_, _ = k.Conn.Write(b[:n])
		k.all.die()
		return 0, errors.New("crashed")
	}
	if k.all.loses(b) {
		return len(b), nil
	}
	n, err := len(b), error(nil)
	if k.all.gate() != nil {
		k.held = append(k.held, b...)
	} else {
		n, err = k.Conn.Write(b)
	}
	if err == nil && steps["request"](b) >= 0 {
		k.all.w.asked(time.Now())
	}
	return n, err
}

func (k *cable) Read(b []byte) (int, error) {
	n, err := k.Conn.Read(b)
	if gate := k.all.gate(); gate != nil {
		select {
		case <-gate:
		case <-k.closed:
			return 0, net.ErrClosed
		}
	}
	if err == nil && k.all.answered(b[:n]) {
		k.all.die()
		return 0, net.ErrClosed
	}
	return n, err
}

// answered says that the API has answered and that this is the moment.
func (c *cables) answered(b []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.crash == nil || c.crash.at != answer || !bytes.HasPrefix(b, []byte("HTTP/1.1 ")) {
		return false
	}
	c.crash.skip--
	return c.crash.skip < 0
}
