package wire

// A field is what a message may hold at one number: its wire type, what is in it, and the kind of the nested message or the size of
// the id. The zero value is a field that the decoder skips.
type field uint16

const (
	wireVarint field = 0
	wireI64    field = 1
	wireLen    field = 2
	wireI32    field = 5

	unknown field = 0
	known   field = 1 << 3 // so that no known field is zero

	content      field = 7 << 4
	nested       field = 1 << 4
	record       field = 2 << 4 // nested, and counted
	choice       field = 3 << 4 // nested, one of several of which a message has one
	id           field = 4 << 4 // that many bytes, or none
	packedVarint field = 5 << 4
	packedI64    field = 6 << 4

	shift = 8
)

const (
	number = known | wireVarint
	i64    = known | wireI64
	i32    = known | wireI32
	text   = known | wireLen // or bytes; the decoder does not check UTF-8
	id8    = known | wireLen | id | 8<<shift
	id16   = known | wireLen | id | 16<<shift
	counts = known | wireLen | packedVarint
	fixed  = known | wireLen | packedI64
)

// The field number of what OTLP 0.9 called instrumentation libraries.
const deprecated = 1000

func one(m message) field    { return known | wireLen | nested | field(m)<<shift }
func each(m message) field   { return known | wireLen | record | field(m)<<shift }
func either(m message) field { return known | wireLen | choice | field(m)<<shift }

func (f field) message() message { return message(f >> shift) }

// unpacked reports whether that wire type is another way to write the field: a list whose numbers come one by one.
func (f field) unpacked(wire field) bool {
	return f == counts && wire == wireVarint || f == fixed && wire == wireI64
}

type message uint8

const (
	resourceSpans message = iota
	resourceMetrics
	resourceLogs
	tracesData
	metricsData
	logsData
	resource
	entityRef
	scope
	keyValue
	anyValue
	arrayValue
	keyValueList
	scopeSpans
	span
	spanEvent
	spanLink
	status
	scopeMetrics
	metric
	gauge
	sum
	histogram
	expHistogram
	summary
	numberPoint
	histogramPoint
	expHistogramPoint
	expBuckets
	summaryPoint
	quantile
	exemplar
	scopeLogs
	logRecord
	messages
)

// descriptors are opentelemetry-proto 1.x as the decoder of package pdata knows it, by field number; a test compares them with it.
var descriptors = [messages][17]field{
	tracesData:      {1: one(resourceSpans)},
	metricsData:     {1: one(resourceMetrics)},
	logsData:        {1: one(resourceLogs)},
	resourceSpans:   {1: one(resource), 2: one(scopeSpans), 3: text},
	resourceMetrics: {1: one(resource), 2: one(scopeMetrics), 3: text},
	resourceLogs:    {1: one(resource), 2: one(scopeLogs), 3: text},

	resource:     {1: one(keyValue), 2: number, 3: one(entityRef)},
	entityRef:    {1: text, 2: text, 3: text, 4: text},
	scope:        {1: text, 2: text, 3: one(keyValue), 4: number},
	keyValue:     {1: text, 2: one(anyValue), 3: number},
	anyValue:     {1: text, 2: number, 3: number, 4: i64, 5: one(arrayValue), 6: one(keyValueList), 7: text, 8: number},
	arrayValue:   {1: one(anyValue)},
	keyValueList: {1: one(keyValue)},

	scopeSpans: {1: one(scope), 2: each(span), 3: text},
	span: {1: id16, 2: id8, 3: text, 4: id8, 5: text, 6: number, 7: i64, 8: i64, 9: one(keyValue), 10: number, 11: one(spanEvent),
		12: number, 13: one(spanLink), 14: number, 15: one(status), 16: i32},
	spanEvent: {1: i64, 2: text, 3: one(keyValue), 4: number},
	spanLink:  {1: id16, 2: id8, 3: text, 4: one(keyValue), 5: number, 6: i32},
	status:    {2: text, 3: number},

	scopeMetrics: {1: one(scope), 2: one(metric), 3: text},
	metric: {1: text, 2: text, 3: text, 5: either(gauge), 7: either(sum), 9: either(histogram), 10: either(expHistogram), 11: either(summary),
		12: one(keyValue)},
	gauge:          {1: each(numberPoint)},
	sum:            {1: each(numberPoint), 2: number, 3: number},
	histogram:      {1: each(histogramPoint), 2: number},
	expHistogram:   {1: each(expHistogramPoint), 2: number},
	summary:        {1: each(summaryPoint)},
	numberPoint:    {2: i64, 3: i64, 4: i64, 5: one(exemplar), 6: i64, 7: one(keyValue), 8: number},
	histogramPoint: {2: i64, 3: i64, 4: i64, 5: i64, 6: fixed, 7: fixed, 8: one(exemplar), 9: one(keyValue), 10: number, 11: i64, 12: i64},
	expHistogramPoint: {1: one(keyValue), 2: i64, 3: i64, 4: i64, 5: i64, 6: number, 7: i64, 8: one(expBuckets), 9: one(expBuckets), 10: number,
		11: one(exemplar), 12: i64, 13: i64, 14: i64},
	expBuckets:   {1: number, 2: counts},
	summaryPoint: {2: i64, 3: i64, 4: i64, 5: i64, 6: one(quantile), 7: one(keyValue), 8: number},
	quantile:     {1: i64, 2: i64},
	exemplar:     {2: i64, 3: i64, 4: id8, 5: id16, 6: i64, 7: one(keyValue)},

	scopeLogs: {1: one(scope), 2: each(logRecord), 3: text},
	logRecord: {1: i64, 2: number, 3: text, 5: one(anyValue), 6: one(keyValue), 7: number, 8: i32, 9: id16, 10: id8, 11: i64, 12: text},
}
