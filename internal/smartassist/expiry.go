package smartassist

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// expiresAt reads when a link expires, from the link itself; the zero time when it does not tell. It is an upper bound: an administrator can
// revoke links early. Known shapes: the vendor's own e=<unix seconds>; S3 SigV4 and GCS V4 (date and seconds); S3 V2, GCS V2 and CloudFront
// (Expires=<unix seconds>); Azure SAS (se=<RFC 3339>); CloudFront with a policy.
func expiresAt(link string) time.Time {
	q := query(link)
	for _, vendor := range []string{"x-amz-", "x-goog-"} {
		date, err := time.Parse("20060102T150405Z", q[vendor+"date"])
		life, err2 := strconv.ParseInt(q[vendor+"expires"], 10, 64)
		if err == nil && err2 == nil && life >= 0 && life < 1<<31 {
			return plausible(date.Add(time.Duration(life) * time.Second))
		}
	}
	for _, name := range []string{"e", "expires"} {
		if s, err := strconv.ParseInt(q[name], 10, 64); err == nil {
			if t := plausible(time.Unix(s, 0).UTC()); !t.IsZero() {
				return t
			}
		}
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z", "2006-01-02"} {
		if t, err := time.Parse(layout, q["se"]); err == nil {
			return plausible(t.UTC())
		}
	}
	return policyExpiry(q["policy"])
}

// query reads a link's parameters, names in lower case, the first of a name counting. url.ParseQuery would refuse what the vendor's links
// may hold.
func query(link string) map[string]string {
	_, raw, _ := strings.Cut(link, "?")
	raw, _, _ = strings.Cut(raw, "#")
	q := map[string]string{}
	for _, pair := range strings.Split(raw, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if unescaped, err := url.PathUnescape(value); err == nil { // not QueryUnescape: + stays + in dates and base64
			value = unescaped
		}
		name = strings.ToLower(name)
		if _, twice := q[name]; !twice {
			q[name] = value
		}
	}
	return q
}

// policyExpiry reads a CloudFront policy: JSON in base64 with + = / written - _ ~.
func policyExpiry(policy string) time.Time {
	b, err := base64.StdEncoding.DecodeString(strings.NewReplacer("-", "+", "_", "=", "~", "/").Replace(policy))
	if err != nil {
		return time.Time{}
	}
	var p struct {
		Statement []struct {
			Condition struct {
				DateLessThan struct {
					Epoch int64 `json:"AWS:EpochTime"`
				}
			}
		}
	}
	if json.Unmarshal(b, &p) != nil || len(p.Statement) == 0 {
		return time.Time{}
	}
	return plausible(time.Unix(p.Statement[0].Condition.DateLessThan.Epoch, 0).UTC())
}

// plausible passes times from 2000 to 2200.
func plausible(t time.Time) time.Time {
	if y := t.Year(); y < 2000 || y > 2200 {
		return time.Time{}
	}
	return t
}
