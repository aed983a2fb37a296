package smartassist

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"
)

func TestExpiresAt(t *testing.T) {
	policy := func(json string) string {
		return strings.NewReplacer("+", "-", "=", "_", "/", "~").Replace(base64.StdEncoding.EncodeToString([]byte(json)))
	}
	const file = "https://media.example.com/a.wav"
	const none = "0001-01-01T00:00:00Z"
	for _, row := range []struct{ name, link, want string }{
		{"the published shape", sampleLink, "2026-11-22T11:24:42Z"},
		{"S3 SigV4", file + "?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20261122T112442Z&X-Amz-Expires=3600&X-Amz-Signature=ab", "2026-11-22T12:24:42Z"},
		{"S3 SigV4 in small letters", file + "?x-amz-date=20261122T112442Z&x-amz-expires=3600", "2026-11-22T12:24:42Z"},
		{"S3 SigV4 that ends as it begins", file + "?X-Amz-Date=20261122T112442Z&X-Amz-Expires=0", "2026-11-22T11:24:42Z"},
		{"S3 SigV4 without its date", file + "?X-Amz-Expires=3600", none},
		{"S3 SigV4 for ever", file + "?X-Amz-Date=20261122T112442Z&X-Amz-Expires=99999999999999999999", none},
		{"S3 SigV4 into the past", file + "?X-Amz-Date=20261122T112442Z&X-Amz-Expires=-5", none},
		{"GCS V4", file + "?X-Goog-Date=20261122T112442Z&X-Goog-Expires=900&X-Goog-Signature=ab", "2026-11-22T11:39:42Z"},
		{"S3 V2", file + "?AWSAccessKeyId=A&Expires=1795346682&Signature=a%2Bb", "2026-11-22T11:24:42Z"},
		{"GCS V2", file + "?GoogleAccessId=a@b&Expires=1795346682&Signature=x", "2026-11-22T11:24:42Z"},
		{"CloudFront", file + "?Expires=1795346682&Signature=x~&Key-Pair-Id=K", "2026-11-22T11:24:42Z"},
		{"CloudFront with a policy", file + "?Policy=" + policy(`{"Statement":[{"Resource":"a?>","Condition":{"DateLessThan":{"AWS:EpochTime":1795346682}}}]}`) + "&Signature=x",
			"2026-11-22T11:24:42Z"},
		{"CloudFront with an astray policy", file + "?Policy=" + policy(`{"Statement":{"Condition":{"DateLessThan":{"AWS:EpochTime":"1795346682"}}}}`), "2026-11-22T11:24:42Z"},
		{"CloudFront with two statements", file + "?Policy=" + policy(`{"Statement":[{"Condition":{"DateLessThan":{"AWS:EpochTime":1795346999}}},{"Condition":{"DateLessThan":{"AWS:EpochTime":1795346682}}}]}`),
			"2026-11-22T11:24:42Z"},
		{"a policy without a date", file + "?Policy=" + policy(`{"Statement":[{"Resource":"x"}]}`), none},
		{"a policy that is none", file + "?Policy=privacy", none},
		{"Azure", file + "?sv=2022-11-02&st=2026-11-22T10%3A24%3A42Z&se=2026-11-22T11%3A24%3A42Z&sr=b&sig=x%2F", "2026-11-22T11:24:42Z"},
		{"Azure to the minute", file + "?se=2026-11-22T11:24Z", "2026-11-22T11:24:00Z"},
		{"Azure to the day", file + "?se=2026-11-22", "2026-11-22T00:00:00Z"},
		{"Azure to the ten millionth", file + "?se=2026-11-22T11:24:42.0000000Z", "2026-11-22T11:24:42Z"},
		{"Azure in another zone", file + "?se=2026-11-22T12:24:42+01:00", "2026-11-22T11:24:42Z"},
		{"a semicolon and an escape that is none", file + "?n=a;b%zz&e=1795346682", "2026-11-22T11:24:42Z"},
		{"a fragment", file + "?e=1795346682#?e=1", "2026-11-22T11:24:42Z"},
		{"a query in a fragment", file + "#?e=1795346682", none},
		{"the first of two", file + "?e=1795346682&e=1795340000", "2026-11-22T11:24:42Z"},
		{"before 2000", file + "?e=900000000", none},
		{"after 2200", file + "?e=9999999999", none},
		{"milliseconds", file + "?e=1795346682000", none},
		{"more than time can hold", file + "?e=9223372036854775807", none},
		{"garbage", file + "?e=tomorrow&se=never&Expires=&X-Amz-Date=&Policy=%%%", none},
		{"garbage before what tells", file + "?e=x&Expires=1795346682", "2026-11-22T11:24:42Z"},
		{"no query", file, none},
		{"no link", "", none},
	} {
		if got := expiresAt(row.link).Format(time.RFC3339); got != row.want {
			t.Errorf("%s: got %v, want %v", row.name, got, row.want)
		}
	}
}

func TestNameOf(t *testing.T) {
	for link, want := range map[string]string{
		"https://media.example.com/x/a%20b.wav?e=1#f": "a b.wav", "https://media.example.com/x/": "x", "https://media.example.com": "", "https://media.example.com/": "",
		"https://media.example.com/..": "", "https://media.example.com/a%zz": "", "a.wav": "a.wav", "": "", "https://media.example.com/a%2Fb": "b",
	} {
		if got := nameOf(link); got != want {
			t.Errorf("%q: got %q, want %q", link, got, want)
		}
	}
}
