package smartassisttest

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"
)

// filePath is where files lie, as in the published samples' links.
const filePath = "/api/getMediaStream/voicemail/"

// link signs a fresh link to a session's k-th file: {base}/api/getMediaStream/voicemail/f-<uuid>.wav?e=<unix seconds>&n=<nonce>&s=<signature>$$.
func (s *Server) link(r *http.Request, session string, k int) string {
	base := s.cfg.PublicURL
	if base == "" {
		base = "http://" + r.Host
		if r.TLS != nil {
			base = "https://" + r.Host
		}
	}
	file := "f-" + uuid("file", session, strconv.Itoa(k)) + ".wav"
	expires := s.cfg.Now().Add(s.cfg.faster(s.cfg.LinkLife)).Add(time.Second - 1).Unix() // rounded up: never shorter than LinkLife
	nonce := s.draws("nonce", strconv.FormatUint(s.nonces.Add(1), 10)).Uint64N(1e10)
	signed := fmt.Sprintf("e=%d&n=%010d", expires, nonce)
	return base + filePath + file + "?" + signed + "&s=" + s.sign(file, signed)
}

// sign signs a file's name and the signed part of a query. The key depends on the seed: links outlive a restart under the same one.
func (s *Server) sign(file, signed string) string {
	h := hmac.New(sha256.New, binary.BigEndian.AppendUint64([]byte("smartassisttest file links "), s.cfg.Seed))
	_, _ = h.Write([]byte(file + "?" + signed))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)) + "$$"
}

// fileOf finds a file's name in a path.
func fileOf(p string) (string, bool) {
	i := strings.Index(p, filePath)
	if i < 0 {
		return "", false
	}
	return p[i+len(filePath):], true
}

// serveFile serves a recording to whoever has a good link. The query has to come byte for byte as it was given out: a link whose $$ became
// %24%24 on the way is refused, so that it is noticed here.
func (s *Server) serveFile(w http.ResponseWriter, r *http.Request, file string) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		writeError(w, http.StatusMethodNotAllowed, 405, "Method Not Allowed")
		return
	}
	signed, signature, _ := strings.Cut(r.URL.RawQuery, "&s=")
	if !hmac.Equal([]byte(signature), []byte(s.sign(file, signed))) {
		writeError(w, http.StatusForbidden, 403, "Invalid signature")
		return
	}
	e, _, _ := strings.Cut(strings.TrimPrefix(signed, "e="), "&") // signed by us, so it is as link writes it
	if expires, err := strconv.ParseInt(e, 10, 64); err != nil || s.cfg.Now().Unix() >= expires {
		writeError(w, http.StatusForbidden, 403, "The link has expired")
		return
	}
	w.Header().Set("Content-Type", "audio/wav")
	w.Header().Set("Cache-Control", "private, no-store")
	w.Header().Set("ETag", strconv.Quote(strings.TrimSuffix(path.Base(file), ".wav")))
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(wav(file)))
}
