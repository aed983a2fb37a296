package smartassisttest

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"
)

const mediaPath = "/api/getMediaStream/"

// link signs a link to a session's file, in the shape of the published samples: e, n, s, the signature ending in $$.
func (s *Server) link(r *http.Request, session string) string {
	base := s.cfg.PublicURL
	if base == "" {
		base = "http://" + r.Host
	}
	id := short("file", session)
	file := fmt.Sprintf("%svoicemail/f-%s-%s-4000-8000-%s.wav", mediaPath, id[:8], id[8:12], id[12:])
	expires := s.cfg.Now().Add(time.Duration(float64(s.cfg.LinkLife) / s.cfg.Speed)).Unix()
	nonce := strconv.FormatInt(s.cfg.Now().UnixNano()%1e10, 10)
	return fmt.Sprintf("%s%s?e=%d&n=%s&s=%s", base, file, expires, nonce, s.sign(file, strconv.FormatInt(expires, 10), nonce))
}

func (s *Server) sign(parts ...string) string {
	key := binary.BigEndian.AppendUint64([]byte("smartassisttest"), s.cfg.Seed)
	h := hmac.New(sha256.New, key)
	h.Write([]byte(strings.Join(parts, "\n")))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)) + "$$"
}

// serveMedia serves a recording to whoever has a good link; ranges work.
func (s *Server) serveMedia(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		writeError(w, http.StatusMethodNotAllowed, 405, "Method Not Allowed")
		return
	}
	q, _ := url.ParseQuery(r.URL.RawQuery)
	file := r.URL.Path[strings.Index(r.URL.Path, mediaPath):]
	e, err := strconv.ParseInt(q.Get("e"), 10, 64)
	good := hmac.Equal([]byte(q.Get("s")), []byte(s.sign(file, q.Get("e"), q.Get("n"))))
	if err != nil || !good || s.cfg.Now().Unix() >= e {
		writeError(w, http.StatusForbidden, 403, "The link is expired or invalid")
		return
	}
	w.Header().Set("Content-Type", "audio/wav")
	http.ServeContent(w, r, path.Base(file), time.Time{}, bytes.NewReader(wav(file)))
}

const sampleRate = 8000

// wav is a melody of a few seconds that is made up out of a name: PCM, 16 bits, mono.
func wav(name string) []byte {
	sum := sha256.Sum256([]byte(name))
	notes := 8 + int(sum[0])%8
	var pcm []byte
	for i := range notes {
		tone := 220 * math.Pow(2, float64([]int{0, 2, 4, 7, 9, 12}[int(sum[i+1])%6])/12)
		const long = sampleRate / 4
		for n := range long {
			fade := math.Sin(math.Pi * float64(n) / long) // no clicks
			v := int16(6000 * fade * math.Sin(2*math.Pi*tone*float64(n)/sampleRate))
			pcm = binary.LittleEndian.AppendUint16(pcm, uint16(v))
		}
	}
	var b bytes.Buffer
	b.WriteString("RIFF")
	_ = binary.Write(&b, binary.LittleEndian, uint32(36+len(pcm)))
	b.WriteString("WAVEfmt ")
	for _, v := range []any{uint32(16), uint16(1), uint16(1), uint32(sampleRate), uint32(sampleRate * 2), uint16(2), uint16(16)} {
		_ = binary.Write(&b, binary.LittleEndian, v)
	}
	b.WriteString("data")
	_ = binary.Write(&b, binary.LittleEndian, uint32(len(pcm)))
	b.Write(pcm)
	return b.Bytes()
}
