package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pipeline"
)

var tops = map[pipeline.Signal]message{
	pipeline.SignalTraces: tracesData, pipeline.SignalMetrics: metricsData, pipeline.SignalLogs: logsData,
}

// decode is the verdict that this package must not exceed; again is what the decoder makes of the message.
func decode(signal pipeline.Signal, body []byte) (records int, again []byte, err error) {
	switch signal {
	case pipeline.SignalMetrics:
		d, err := (&pmetric.ProtoUnmarshaler{}).UnmarshalMetrics(body)
		if err != nil {
			return 0, nil, err
		}
		again, err = (&pmetric.ProtoMarshaler{}).MarshalMetrics(d)
		return d.DataPointCount(), again, err
	case pipeline.SignalLogs:
		d, err := (&plog.ProtoUnmarshaler{}).UnmarshalLogs(body)
		if err != nil {
			return 0, nil, err
		}
		again, err = (&plog.ProtoMarshaler{}).MarshalLogs(d)
		return d.LogRecordCount(), again, err
	default:
		d, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(body)
		if err != nil {
			return 0, nil, err
		}
		again, err = (&ptrace.ProtoMarshaler{}).MarshalTraces(d)
		return d.SpanCount(), again, err
	}
}

// within wraps a field's bytes so that they stand in a message of the kind, by the shortest way from the top.
func within(top, kind message) (wrap func([]byte) []byte, found bool) {
	type way struct {
		at   message
		wrap func([]byte) []byte
	}
	seen := map[message]bool{top: true}
	for queue := []way{{top, func(b []byte) []byte { return b }}}; len(queue) > 0; queue = queue[1:] {
		w := queue[0]
		if w.at == kind {
			return w.wrap, true
		}
		for i, f := range descriptors[w.at] {
			if c := f & content; (c == nested || c == record || c == choice) && !seen[f.message()] {
				seen[f.message()] = true
				queue = append(queue, way{f.message(), func(b []byte) []byte { return w.wrap(put(uint64(i), 2, b)) }})
			}
		}
	}
	return nil, false
}

// put encodes one field; value is the content of a length-delimited field, or the number as it is.
func put(number, wire uint64, value []byte) []byte {
	out := binary.AppendUvarint(nil, number<<3|wire)
	if wire == 2 {
		out = binary.AppendUvarint(out, uint64(len(value)))
	}
	return append(out, value...)
}

// Every field of every message, with every wire type and values that tell one kind of content from another.
func TestDescriptorsAgreeWithTheDecoder(t *testing.T) {
	values := map[uint64][][]byte{
		0: {{1}, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}, {0x80}, nil},
		1: {make([]byte, 8), make([]byte, 7)},
		2: {nil, {0}, {0x80}, {1}, {1, 2, 3, 0x80, 1}, make([]byte, 8), make([]byte, 9), make([]byte, 16), {0x12, 0}, {0x12, 1}, {0x10, 5}},
		5: {make([]byte, 4), make([]byte, 3)},
		6: {nil},
		7: {nil},
	}
	fields, reached := 0, map[message]bool{}
	for signal, top := range tops {
		for kind := range messages {
			wrap, found := within(top, kind)
			if !found {
				continue
			}
			reached[kind] = true
			for _, number := range []uint64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 999, deprecated, 1001, 1<<29 - 1} {
				for wire, tried := range values {
					for _, value := range tried {
						body := wrap(put(number, wire, value))
						want, _, refused := decode(signal, body)
						got, err := Count(signal, body)
						if number == deprecated && kind <= resourceLogs {
							if err == nil {
								t.Errorf("%s: old field of message %d accepted", signal, kind)
							}
							continue
						}
						if (err == nil) != (refused == nil) || got != want {
							t.Errorf("%s: message %d field %d wire type %d value %x: %d records (%v), the decoder %d (%v)", signal, kind, number, wire, value, got, err, want, refused)
						}
						fields++
					}
				}
			}
		}
	}
	if len(reached) != int(messages) {
		t.Errorf("%d of %d messages compared", len(reached), messages)
	}
	t.Logf("%d fields compared", fields)
}

func fill(m pcommon.Map) {
	m.PutStr("http.request.method", "GET")
	m.PutInt("http.response.status_code", 200)
	m.PutBool("error", false)
	m.PutDouble("ratio", 0.5)
	m.PutEmptyBytes("raw").FromRaw([]byte{0, 255})
	m.PutEmptySlice("list").AppendEmpty().SetStr("é")
	m.PutEmptyMap("map").PutEmptyMap("inner").PutStr("k", "v")
}

func someTraces(n int) []byte {
	d := ptrace.NewTraces()
	rs := d.ResourceSpans().AppendEmpty()
	fill(rs.Resource().Attributes())
	rs.SetSchemaUrl("https://opentelemetry.io/schemas/1.37.0")
	ss := rs.ScopeSpans().AppendEmpty()
	ss.Scope().SetName("scope")
	for i := range n {
		s := ss.Spans().AppendEmpty()
		s.SetTraceID(pcommon.TraceID{1, byte(i)})
		s.SetSpanID(pcommon.SpanID{2, byte(i)})
		s.SetParentSpanID(pcommon.SpanID{3})
		s.SetName(fmt.Sprint("span ", i))
		s.SetKind(ptrace.SpanKindServer)
		s.SetStartTimestamp(1e18)
		s.SetEndTimestamp(1e18 + 5)
		s.SetFlags(257)
		fill(s.Attributes())
		s.Events().AppendEmpty().SetName("event")
		s.Links().AppendEmpty().SetSpanID(pcommon.SpanID{9})
		s.Status().SetMessage("bad")
	}
	body, _ := (&ptrace.ProtoMarshaler{}).MarshalTraces(d)
	return body
}

func someMetrics() []byte {
	d := pmetric.NewMetrics()
	ms := d.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics()
	g := ms.AppendEmpty().SetEmptyGauge().DataPoints().AppendEmpty()
	fill(g.Attributes())
	g.Exemplars().AppendEmpty().SetIntValue(3)
	sum := ms.AppendEmpty().SetEmptySum()
	sum.SetIsMonotonic(true)
	sum.DataPoints().AppendEmpty().SetDoubleValue(2)
	sum.DataPoints().AppendEmpty().SetIntValue(2)
	h := ms.AppendEmpty().SetEmptyHistogram().DataPoints().AppendEmpty()
	h.BucketCounts().FromRaw([]uint64{1, 2})
	h.ExplicitBounds().FromRaw([]float64{1})
	h.SetMin(1)
	e := ms.AppendEmpty().SetEmptyExponentialHistogram().DataPoints().AppendEmpty()
	e.Positive().BucketCounts().FromRaw([]uint64{1, 300})
	e.SetScale(-2)
	ms.AppendEmpty().SetEmptySummary().DataPoints().AppendEmpty().QuantileValues().AppendEmpty().SetQuantile(0.5)
	body, _ := (&pmetric.ProtoMarshaler{}).MarshalMetrics(d)
	return body
}

func someLogs() []byte {
	d := plog.NewLogs()
	records := d.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	for range 3 {
		r := records.AppendEmpty()
		fill(r.Attributes())
		fill(r.Body().SetEmptyMap())
		r.SetTraceID(pcommon.TraceID{1})
		r.SetEventName("event")
		r.SetFlags(1)
	}
	body, _ := (&plog.ProtoMarshaler{}).MarshalLogs(d)
	return body
}

func TestEveryTruncationHasTheDecodersVerdict(t *testing.T) {
	for signal, body := range map[pipeline.Signal][]byte{
		pipeline.SignalTraces: someTraces(2), pipeline.SignalMetrics: someMetrics(), pipeline.SignalLogs: someLogs(),
	} {
		for n := range len(body) + 1 {
			want, _, refused := decode(signal, body[:n])
			if got, err := Count(signal, body[:n]); got != want || (err == nil) != (refused == nil) {
				t.Errorf("%s: %d of %d bytes: %d (%v), the decoder %d (%v)", signal, n, len(body), got, err, want, refused)
			}
		}
	}
}

func TestDeepNestingIsFoundWithoutDecoding(t *testing.T) {
	wrap, _ := within(tracesData, arrayValue)
	nest := func(levels int) []byte {
		var inner []byte
		for range levels { // an array in an array
			inner = put(1, 2, put(5, 2, inner))
		}
		return wrap(inner)
	}
	if n, err := Count(pipeline.SignalTraces, nest(4000)); err != nil || n != 0 {
		t.Errorf("%d, %v", n, err)
	}
	if _, err := Count(pipeline.SignalTraces, nest(5001)); !errors.Is(err, ErrNested) {
		t.Errorf("%v", err)
	}
}

// check is what the fuzz tests hold: what is accepted the decoder accepts with the same count, and two accepted messages in a row
// decode to both.
func check(t *testing.T, signal pipeline.Signal, a, b []byte) {
	n, err := Count(signal, a)
	if err != nil {
		return
	}
	want, first, err := decode(signal, a)
	if err != nil || n != want {
		t.Fatalf("accepted %d records of %x, the decoder %d: %v", n, a, want, err)
	}
	m, err := Count(signal, b)
	if err != nil {
		return
	}
	_, second, err := decode(signal, b)
	if err != nil {
		t.Fatalf("accepted %x, the decoder: %v", b, err)
	}
	joined := append(bytes.Clone(a), b...)
	both, merged, err := decode(signal, joined)
	if err != nil || both != n+m || !bytes.Equal(merged, append(first, second...)) {
		t.Fatalf("%x and %x make %d records, joined %d: %v", a, b, n+m, both, err)
	}
	if all, err := Count(signal, joined); err != nil || all != both {
		t.Fatalf("joined %x: %d of %d records: %v", joined, all, both, err)
	}
}

func FuzzTraces(f *testing.F) {
	f.Add(someTraces(2), someTraces(1))
	f.Fuzz(func(t *testing.T, a, b []byte) { check(t, pipeline.SignalTraces, a, b) })
}

func FuzzMetrics(f *testing.F) {
	f.Add(someMetrics(), someMetrics())
	f.Fuzz(func(t *testing.T, a, b []byte) { check(t, pipeline.SignalMetrics, a, b) })
}

func FuzzLogs(f *testing.F) {
	f.Add(someLogs(), someLogs())
	f.Fuzz(func(t *testing.T, a, b []byte) { check(t, pipeline.SignalLogs, a, b) })
}

func BenchmarkCount(b *testing.B) {
	body := someTraces(100)
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if n, err := Count(pipeline.SignalTraces, body); n != 100 || err != nil {
			b.Fatal(n, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/span")
}

func BenchmarkDecode(b *testing.B) {
	body := someTraces(100)
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(body); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/span")
}
