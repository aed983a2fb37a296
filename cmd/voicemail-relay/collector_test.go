package main

import (
	"cmp"
	"compress/gzip"
	"encoding/hex"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	collect "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
)

// A collector takes spans as an OpenTelemetry collector does: OTLP over HTTP, in protobuf.
type collector struct {
	t *testing.T

	mu       sync.Mutex
	spans    []span
	resource map[string]string
	header   http.Header // of the latest request
	text     string      // all that was ever sent
}

// A span, with what the tests look at.
type span struct {
	trace, id, parent string
	name              string
	kind              string
	state             string // tracestate
	attributes        map[string]string
	failed            bool
	message           string // of its status
	from, to          time.Time
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(body)
		if err != nil {
			c.t.Errorf("spans came as gzip that is none: %v", err)
			return
		}
		body = unzipped
	}
	b, err := io.ReadAll(body)
	var req collect.ExportTraceServiceRequest
	if err == nil {
		err = proto.Unmarshal(b, &req)
	}
	if err != nil || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" {
		c.t.Errorf("%s %s with content type %q is no export of spans: %v", r.Method, r.URL.Path, r.Header.Get("Content-Type"), err)
		return
	}
	c.take(&req, r.Header)
	answer, _ := proto.Marshal(&collect.ExportTraceServiceResponse{})
	w.Header().Set("Content-Type", "application/x-protobuf")
	_, _ = w.Write(answer)
}

func (c *collector) take(req *collect.ExportTraceServiceRequest, header http.Header) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.header = header
	c.text += prototext.Format(req)
	for _, rs := range req.ResourceSpans {
		c.resource = values(rs.Resource.Attributes)
		for _, ss := range rs.ScopeSpans {
			for _, s := range ss.Spans {
				c.spans = append(c.spans, span{trace: hex.EncodeToString(s.TraceId), id: hex.EncodeToString(s.SpanId), parent: hex.EncodeToString(s.ParentSpanId), name: s.Name,
					kind: s.Kind.String()[len("SPAN_KIND_"):], state: s.TraceState, attributes: values(s.Attributes), failed: s.Status.GetCode() == tracepb.Status_STATUS_CODE_ERROR, message: s.Status.GetMessage(),
					from: time.Unix(0, int64(s.StartTimeUnixNano)), to: time.Unix(0, int64(s.EndTimeUnixNano))})
			}
		}
	}
}

func values(kvs []*common.KeyValue) map[string]string {
	m := map[string]string{}
	for _, kv := range kvs {
		switch v := kv.Value.Value.(type) {
		case *common.AnyValue_StringValue:
			m[kv.Key] = v.StringValue
		case *common.AnyValue_IntValue:
			m[kv.Key] = strconv.FormatInt(v.IntValue, 10)
		default:
			m[kv.Key] = kv.Value.String()
		}
	}
	return m
}

// all returns the spans so far, in the order in which they began: in virtual time many begin at once, a span's children behind it.
func (c *collector) all() []span {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := slices.Clone(c.spans)
	parents := map[string]string{}
	for _, s := range all {
		parents[s.id] = s.parent
	}
	depth := func(id string) (n int) {
		for parent, ok := parents[id]; ok; parent, ok = parents[parent] {
			n++
		}
		return n
	}
	slices.SortStableFunc(all, func(a, b span) int { return cmp.Or(a.from.Compare(b.from), depth(a.id)-depth(b.id)) })
	return all
}

// of returns those of one trace.
func (c *collector) of(trace string) []span {
	return slices.DeleteFunc(c.all(), func(s span) bool { return s.trace != trace })
}

func (c *collector) raw() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text
}
