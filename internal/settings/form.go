package settings

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// The forms of single values; each says what is wrong and what to write. Values that may hold a secret are not quoted.

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func baseURL(v string) error {
	u, err := url.Parse(v)
	switch {
	case err != nil || u.Scheme == "" || u.Hostname() == "":
		return errors.New("must be a URL such as https://smartassist.kore.ai")
	case u.User != nil:
		return errors.New("must not hold a user name or password")
	case strings.ContainsAny(v, "?#"):
		return errors.New("must not hold a query or fragment")
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return errors.New("must be https: the token would travel in the clear (http is for loopback alone)")
	case u.Scheme != "https" && u.Scheme != "http":
		return fmt.Errorf("must be https, got %s", quote(u.Scheme))
	}
	return validPort(u.Port())
}

func validPort(port string) error {
	if port == "" {
		return nil
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return fmt.Errorf("port %s is not from 0 to 65535", quote(port))
	}
	return nil
}

func apiPath(v string) error {
	switch {
	case !strings.HasPrefix(v, "/"):
		return errors.New("must begin with /")
	case !strings.Contains(v, "{botId}"):
		return errors.New("must hold {botId}, where the bot's id belongs")
	case strings.ContainsAny(v, "?# "):
		return errors.New("must not hold a query, fragment or space")
	}
	if _, err := url.Parse(strings.ReplaceAll(v, "{botId}", "st")); err != nil {
		return errors.New("is no path of a URL: see to its % signs")
	}
	return nil
}

// servers splits nats.url.
func servers(v string) []string {
	var urls []string
	for _, s := range strings.Split(v, ",") {
		s = strings.TrimSpace(s)
		if !strings.Contains(s, "://") {
			s = "nats://" + s
		}
		urls = append(urls, s)
	}
	return urls
}

func natsURL(v string) error {
	web := map[bool]bool{}
	for _, s := range servers(v) {
		u, err := url.Parse(s)
		if err != nil || u.Hostname() == "" { // the text would quote a password
			return errors.New("must be a URL such as nats://127.0.0.1:4222")
		}
		switch u.Scheme {
		case "nats", "tls", "ws", "wss":
		default:
			return errors.New("scheme is none of nats, tls, ws, wss")
		}
		if validPort(u.Port()) != nil { // a password with a slash or comma in it is taken for a port, or a scheme
			return errors.New("port is not from 0 to 65535")
		}
		if strings.ContainsAny(s, "?#") {
			return errors.New("must not hold a query or fragment")
		}
		web[strings.HasPrefix(u.Scheme, "ws")] = true
	}
	if len(web) > 1 { // the client refuses to
		return errors.New("must not mix ws or wss with nats or tls")
	}
	return nil
}

var prefixForm = regexp.MustCompile(`^[A-Za-z0-9_-]{0,64}$`)

func prefix(v string) error {
	if !prefixForm.MatchString(v) {
		return fmt.Errorf("%s must be at most 64 characters out of A-Z a-z 0-9 _ -", quote(v))
	}
	return nil
}

func subject(v string) error {
	for i, t := range strings.Split(v, ".") {
		switch {
		case t == "":
			return fmt.Errorf("%s has an empty part between dots", quote(v))
		case strings.ContainsFunc(t, blank):
			return fmt.Errorf("%s holds a space", quote(v))
		case i == 0 && strings.HasPrefix(t, "$"):
			return fmt.Errorf("%s: subjects that begin with $ belong to NATS", quote(v))
		case len(t) > 1 && strings.ContainsAny(t, "*>"):
			return fmt.Errorf("%s: a wildcard stands alone between dots", quote(v))
		case t == ">" && !strings.HasSuffix(v, ">"):
			return fmt.Errorf("%s: > stands at the end alone", quote(v))
		}
	}
	return nil
}

func blank(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }

func literalSubject(v string) error {
	if err := subject(v); err != nil {
		return err
	}
	if strings.ContainsAny(v, "*>") {
		return fmt.Errorf("%s must not hold wildcards", quote(v))
	}
	if last := v[strings.LastIndexByte(v, '.')+1:]; last == "absent" || last == "failed" {
		return fmt.Errorf("%s is where %s verdicts go", quote(v), last)
	}
	return nil
}

func name(v string) error {
	if len(v) > 128 || strings.ContainsAny(v, ".*>/\\") || strings.ContainsFunc(v, blank) {
		return fmt.Errorf("%s must be at most 128 characters without spaces, dots, slashes and wildcards", quote(v))
	}
	return nil
}

func address(v string) error {
	_, port, err := net.SplitHostPort(v)
	if err != nil || port == "" {
		return fmt.Errorf("%s is not host:port, such as 127.0.0.1:8088", quote(v))
	}
	return validPort(port)
}

// appID travels in each token. What is copied along with it is refused here: the API would refuse the token without a word about it.
func appID(v string) error {
	if strings.TrimSpace(v) != v || strings.ContainsFunc(v, unicode.IsControl) {
		return fmt.Errorf("%s holds a line break, or a space at an end", quote(v))
	}
	return nil
}

// label is an account's name: it stands in logs and metrics.
func label(v string) error {
	if len(v) > 128 || strings.ContainsFunc(v, unicode.IsControl) {
		return fmt.Errorf("%s must be at most 128 printable characters", quote(v))
	}
	return nil
}

var patternForm = regexp.MustCompile(`^[A-Za-z0-9._:*-]{1,256}$`)

func pattern(v string) error {
	if !patternForm.MatchString(v) {
		return fmt.Errorf("%s must be characters out of A-Z a-z 0-9 . _ : - and *", quote(v))
	}
	return nil
}
