-- The telemetry schema, for a ClickHouse server and for the engine that comes with the package.
--
-- Statements end with ";;". schema.py fills in what stands in double braces and runs them in this order.
--
-- A landing table takes chunks of lines and keeps nothing (ENGINE = Null). Views parse a chunk in SQL, never throw, and
-- make of every line one row or one reject. A chunk may be inserted again after any failure: each view leaves out what
-- is stored already, so that reads need neither FINAL nor GROUP BY. That is exact because a chunk goes through the views
-- as one block, a part is written whole or not at all, and one writer works at a time. Should two ever write at once,
-- ReplacingMergeTree removes at the next merge what both wrote.
--
--   span_lines ─ split ─> span_events ─ resolve ─> span_rows ─┬─> spans_finished   spans that have ended, each once
--                                                             ├─> trace_times      when those of a trace started
--                                                             ├─> spans_open       spans that had not ended yet
--                                                             ├─> metrics, scores, feedback
--                                                             └─> rejects          lines that could not become a row
--   log_lines ── split ─> log_rows ───────────────────────────┴─> logs
--
-- To be queried, each name beginning with mastra_admin_: spans (a view: every span once, also those that still run),
-- spans_finished (the same without those that still run; the fastest), logs, metrics, scores, feedback, rejects.

-- === what is kept =====================================================================================================

CREATE TABLE IF NOT EXISTS mastra_admin_spans_finished
(
    {{span_columns}},
    span_key UInt64,
    stored_at DateTime64(3, 'UTC'),
    INDEX by_trace trace_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(start_time)
PRIMARY KEY start_time
ORDER BY (start_time, trace_id, span_id)
{{ttl_spans}}
SETTINGS index_granularity = 2048, ttl_only_drop_parts = 1;;

-- What has ended meanwhile stays here until it is purged (see schema.py); reads leave it out.
CREATE TABLE IF NOT EXISTS mastra_admin_spans_open
(
    {{span_columns}},
    version UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (trace_id, span_id)
{{ttl_spans}};;

-- When the finished spans of a trace started: where in spans_finished, which is in the order of time, one trace is.
-- Smallest and largest of what was told twice are the same.
CREATE TABLE IF NOT EXISTS mastra_admin_trace_times
(
    trace_id String,
    start_time SimpleAggregateFunction(min, DateTime64(3, 'UTC')),
    last_start_time SimpleAggregateFunction(max, DateTime64(3, 'UTC'))
)
ENGINE = AggregatingMergeTree
ORDER BY trace_id
{{ttl_spans}}
SETTINGS index_granularity = 512;;

CREATE TABLE IF NOT EXISTS mastra_admin_logs
(
    timestamp DateTime64(3, 'UTC'),
    id String,
    level LowCardinality(String),
    message String,
    {{owner_columns}},
    trace_id String,
    span_id String,
    source LowCardinality(String),
    data String,
    stored_at DateTime64(3, 'UTC'),
    INDEX by_trace trace_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(timestamp)
PRIMARY KEY timestamp
ORDER BY (timestamp, id)
{{ttl_logs}}
SETTINGS ttl_only_drop_parts = 1;;

CREATE TABLE IF NOT EXISTS mastra_admin_metrics
(
    timestamp DateTime64(3, 'UTC'),
    id String,
    name LowCardinality(String),
    value Nullable(Float64),
    {{owner_columns}},
    trace_id String,
    span_id String,
    model LowCardinality(String),
    provider LowCardinality(String),
    labels String,
    cost Nullable(Float64)
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(timestamp)
PRIMARY KEY timestamp
ORDER BY (timestamp, id)
{{ttl_metrics}}
SETTINGS ttl_only_drop_parts = 1;;

CREATE TABLE IF NOT EXISTS mastra_admin_scores
(
    timestamp DateTime64(3, 'UTC'),
    id String,
    name LowCardinality(String),
    score Nullable(Float64),
    reason String,
    {{owner_columns}},
    trace_id String,
    span_id String,
    data String
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(timestamp)
PRIMARY KEY timestamp
ORDER BY (timestamp, id)
{{ttl_scores}}
SETTINGS ttl_only_drop_parts = 1;;

CREATE TABLE IF NOT EXISTS mastra_admin_feedback
(
    timestamp DateTime64(3, 'UTC'),
    id String,
    name LowCardinality(String),
    value String,
    comment String,
    {{owner_columns}},
    trace_id String,
    span_id String,
    data String
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(timestamp)
PRIMARY KEY timestamp
ORDER BY (timestamp, id)
{{ttl_feedback}}
SETTINGS ttl_only_drop_parts = 1;;

-- `key` is made of where a line stood and what it said: a repeated insert rejects it once.
CREATE TABLE IF NOT EXISTS mastra_admin_rejects
(
    time DateTime64(3, 'UTC'),
    stream LowCardinality(String),
    reason LowCardinality(String),
    line String,
    path String,
    position UInt64,
    project_id LowCardinality(String),
    deployment_id LowCardinality(String),
    key UInt128
)
ENGINE = ReplacingMergeTree
ORDER BY key
{{ttl_rejects}};;

-- === the stations of a chunk; none of them keeps anything =============================================================

CREATE TABLE IF NOT EXISTS mastra_admin_span_lines (path String, position UInt64, body String) ENGINE = Null;;

-- What a line says. `time` is a span's start, or when a metric, score or feedback was made.
CREATE TABLE IF NOT EXISTS mastra_admin_span_events
(
    {{line_columns}},
    {{event_columns}},
    span_key UInt64,
    identity UInt64,
    number UInt64
)
ENGINE = Null;;

CREATE TABLE IF NOT EXISTS mastra_admin_span_rows
(
    {{line_columns}},
    {{event_columns}},
    span_key UInt64
)
ENGINE = Null;;

CREATE TABLE IF NOT EXISTS mastra_admin_log_lines (path String, position UInt64, body String) ENGINE = Null;;

-- Lines that the engine itself refused, one by one, with its reason.
CREATE TABLE IF NOT EXISTS mastra_admin_refused_lines
(stream String, path String, position UInt64, reason String, line String) ENGINE = Null;;

CREATE TABLE IF NOT EXISTS mastra_admin_log_rows
(
    {{line_columns}},
    {{owner_columns}},
    time Nullable(DateTime64(3, 'UTC')),
    level LowCardinality(String),
    message String,
    trace_id String,
    span_id String,
    source LowCardinality(String),
    data String
)
ENGINE = Null;;

-- === spans ============================================================================================================

-- A line is parsed once. Only input and output that are JSON strings are read a second time, to keep their quotes.
-- JSON.stringify writes half of a cut emoji as a lone surrogate, which the parser refuses: `lines` are without such
-- halves. What follows the last line end, `is_rest`, is no line. `identity` is made of what a span's first line tells for
-- good.
CREATE MATERIALIZED VIEW IF NOT EXISTS mastra_admin_split_span_lines TO mastra_admin_span_events AS
SELECT
    path, position, line,
    rowNumberInAllBlocks() AS number,
    `head.type` AS kind,
    `head.event` AS event,
    if(`head.id` != '', `head.id`, lower(hex(sipHash128(line)))) AS id,
    `head.timestamp` AS written_at,
    `head.projectId` AS project_id,
    `head.deploymentId` AS deployment_id,
    `head.buildId` AS build_id,
    `head.processId` AS process_id,
    parseDateTime64BestEffortOrNull(if(kind = 'span', `data.startTime`, `data.timestamp`), 3, 'UTC') AS time,
    parseDateTime64BestEffortOrNull(`data.endTime`, 3, 'UTC') AS end_time,
    `data.endTime` != '' AS has_end_time,
    `data.traceId` AS trace_id,
    if(kind = 'span', `data.id`, `data.spanId`) AS span_id,
    cityHash64(trace_id, span_id) AS span_key,
    cityHash64(assumeNotNull(time), parent_span_id, name, type, project_id, deployment_id, build_id) AS identity,
    `data.parentSpanId` AS parent_span_id,
    `data.name` AS name,
    `data.type` AS type,
    `data.entityType` AS entity_type,
    `data.entityId` AS entity_id,
    `data.entityName` AS entity_name,
    `attributes.model` AS model,
    `attributes.provider` AS provider,
    coalesce(tupleElement(`attributes.usage`, 'inputTokens'), tupleElement(`attributes.usage`, 'promptTokens'))
        AS input_tokens,
    coalesce(tupleElement(`attributes.usage`, 'outputTokens'), tupleElement(`attributes.usage`, 'completionTokens'))
        AS output_tokens,
    if(`metadata.threadId` != '', `metadata.threadId`, `data.threadId`) AS thread_id,
    if(`metadata.resourceId` != '', `metadata.resourceId`, `data.resourceId`) AS resource_id,
    if(`metadata.runId` != '', `metadata.runId`, `data.runId`) AS run_id,
    multiIf(
        `data.errorInfo` = '', '',
        JSONHas(`data.errorInfo`, 'message'), JSONExtractString(`data.errorInfo`, 'message'),
        `data.errorInfo`) AS error,
    `data.errorInfo` AS error_info,
    if(spaced OR position(line, '"input":"') > 0, JSONExtractRaw(line, 'data', 'input'), `data.input`) AS input,
    if(spaced OR position(line, '"output":"') > 0, JSONExtractRaw(line, 'data', 'output'), `data.output`) AS output,
    `data.attributes` AS attributes,
    `data.metadata` AS metadata,
    `data.isRootSpan` AS is_root,
    `data.isEvent` AS is_event,
    multiIf(
        kind IN ('span', 'metric', 'score', 'feedback'), multiIf(
            kind = 'span' AND (trace_id = '' OR span_id = ''), 'no trace id or span id',
            kind = 'span' AND event NOT IN ('started', 'updated', 'ended'), 'unknown event',
            event = 'ended' AND isNull(end_time) AND (has_end_time OR NOT (is_event OR written_at > 0)), 'no end time',
            ''),
        kind = 'erased', '',
        kind = 'log', 'a line in the wrong stream',
        kind != '', 'unknown type',
        is_rest, '',
        line = '', 'an empty line',
        isValidJSON(line) = 0, 'not JSON',
        JSONType(line) != 'Object', 'not an object',
        'unknown type') AS reason
FROM
(
    SELECT
        path, position + end - length(line) - 1 AS position, line, line = '' AND end = size AS is_rest,
        position(left(line, 64), '": ') > 0 AS spaced,
        untuple(JSONExtract(line, 'Tuple(
            id String, type String, event String, timestamp Int64,
            projectId String, deploymentId String, buildId String, processId String,
            data Tuple(
                id String, traceId String, spanId String, parentSpanId String, name String, type String,
                entityType String, entityId String, entityName String, startTime String, endTime String,
                timestamp String, isRootSpan Bool, isEvent Bool, errorInfo String,
                threadId String, resourceId String, runId String,
                attributes String, metadata String, input String, output String))') AS parsed) AS head,
        untuple(tupleElement(parsed, 'data') AS span) AS data,
        untuple(JSONExtract(tupleElement(span, 'attributes'), 'Tuple(
            model String, provider String,
            usage Tuple(
                inputTokens Nullable(Int64), outputTokens Nullable(Int64),
                promptTokens Nullable(Int64), completionTokens Nullable(Int64)))')) AS attributes,
        untuple(JSONExtract(tupleElement(span, 'metadata'), 'Tuple(
            threadId String, resourceId String, runId String)')) AS metadata
    FROM
    (
        SELECT
            path, position, length(body) + 1 AS size, splitByChar('\n', body) AS plain,
            if(position(body, '\\ud') = 0, plain, splitByChar('\n', {{mended_body}})) AS lines,
            arrayCumSum(line -> length(line) + 1, plain) AS ends
        FROM mastra_admin_span_lines
    )
    ARRAY JOIN lines AS line, ends AS end
);;

-- Where lines of one span disagree, what was told first counts: by an earlier line of the chunk, or by an open span.
-- As a rule none disagree, and there is nothing to join.
CREATE MATERIALIZED VIEW IF NOT EXISTS mastra_admin_resolve_span_events TO mastra_admin_span_rows AS
SELECT
    e.* EXCEPT (reason, number, identity, time, parent_span_id, name, type, project_id, deployment_id, build_id),
    if(told.span_key != 0, told.time, e.time) AS time,
    if(told.span_key != 0, told.parent_span_id, e.parent_span_id) AS parent_span_id,
    if(told.span_key != 0, told.name, e.name) AS name,
    if(told.span_key != 0, told.type, e.type) AS type,
    if(told.span_key != 0, told.project_id, e.project_id) AS project_id,
    if(told.span_key != 0, told.deployment_id, e.deployment_id) AS deployment_id,
    if(told.span_key != 0, told.build_id, e.build_id) AS build_id,
    multiIf(
        e.reason != '' OR kind IN ('', 'erased'), e.reason,
        isNull(time), 'no time',
        time < {{oldest_by_kind}} OR time > now() + INTERVAL 1 DAY, 'a time outside the kept range',
        '') AS reason
FROM mastra_admin_span_events AS e
LEFT ANY JOIN
(
    SELECT
        l.span_key AS span_key,
        argMinIf(l.time, number, isNotNull(l.time)) AS time,
        argMinIf(l.parent_span_id, number, l.parent_span_id != '') AS parent_span_id,
        argMinIf(l.name, number, l.name != '') AS name,
        argMinIf(l.type, number, l.type != '') AS type,
        argMinIf(l.project_id, number, l.project_id != '') AS project_id,
        argMinIf(l.deployment_id, number, l.deployment_id != '') AS deployment_id,
        argMinIf(l.build_id, number, l.build_id != '') AS build_id
    FROM
    (
        SELECT span_key, time, parent_span_id, name, type, project_id, deployment_id, build_id, toInt64(number) AS number
        FROM mastra_admin_span_events
        WHERE kind = 'span' AND span_id != ''
        UNION ALL
        SELECT
            cityHash64(trace_id, span_id) AS span_key, toNullable(start_time) AS time, parent_span_id, name, type,
            project_id, deployment_id, build_id, toInt64(-1) AS number
        FROM mastra_admin_spans_open FINAL
        WHERE trace_id IN (SELECT trace_id FROM mastra_admin_span_events WHERE kind = 'span')
    ) AS l
    WHERE span_key IN
    (
        SELECT span_key
        FROM
        (
            SELECT span_key, identity FROM mastra_admin_span_events WHERE kind = 'span' AND span_id != ''
            UNION ALL
            SELECT
                cityHash64(trace_id, span_id) AS span_key,
                cityHash64(start_time, parent_span_id, name, type, project_id, deployment_id, build_id) AS identity
            FROM mastra_admin_spans_open FINAL
            WHERE trace_id IN (SELECT trace_id FROM mastra_admin_span_events WHERE kind = 'span')
        )
        GROUP BY span_key
        HAVING min(identity) != max(identity)
    )
    GROUP BY l.span_key
) AS told ON e.span_key = told.span_key;;

-- A finished span is known by its ids. They are looked for a day around the times of the chunk: that is where the same
-- line is, and also the same span told by somebody whose clock or time zone is wrong.
CREATE MATERIALIZED VIEW IF NOT EXISTS mastra_admin_store_finished_spans TO mastra_admin_spans_finished AS
SELECT
    * EXCEPT ({{line_names}}, time, end_time, has_end_time),
    assumeNotNull(time) AS start_time,
    multiIf(
        isNotNull(r.end_time), r.end_time,
        is_event, start_time,
        greatest(fromUnixTimestamp64Milli(written_at, 'UTC'), start_time)) AS end_time,
    if(error_info != '', 'error', 'ok') AS status,
    dateDiff('millisecond', start_time, end_time) AS duration_ms,
    now64(3, 'UTC') AS stored_at
FROM mastra_admin_span_rows AS r
WHERE kind = 'span' AND reason = '' AND event = 'ended' AND (trace_id, span_id) NOT IN
(
    SELECT trace_id, span_id
    FROM mastra_admin_spans_finished
    WHERE span_key IN (SELECT span_key FROM mastra_admin_span_rows WHERE kind = 'span')
        AND toDate(start_time) IN
        (
            SELECT arrayJoin([toDate(time) - 1, toDate(time), toDate(time) + 1])
            FROM mastra_admin_span_rows
            WHERE kind = 'span' AND reason = '' AND event = 'ended'
        )
)
LIMIT 1 BY trace_id, span_id;;

CREATE MATERIALIZED VIEW IF NOT EXISTS mastra_admin_store_trace_times TO mastra_admin_trace_times AS
SELECT
    trace_id,
    min(assumeNotNull(r.time)) AS start_time,
    max(assumeNotNull(r.time)) AS last_start_time
FROM mastra_admin_span_rows AS r
WHERE kind = 'span' AND reason = '' AND event = 'ended'
GROUP BY trace_id;;

CREATE MATERIALIZED VIEW IF NOT EXISTS mastra_admin_store_open_spans TO mastra_admin_spans_open AS
SELECT
    * EXCEPT ({{line_names}}, time, end_time, has_end_time, span_key),
    assumeNotNull(time) AS start_time,
    'running' AS status,
    toUInt64(greatest(written_at, 0)) * 2 + (event = 'updated') AS version
FROM mastra_admin_span_rows
WHERE kind = 'span' AND reason = '' AND event != 'ended'
    AND span_key NOT IN (SELECT span_key FROM mastra_admin_span_rows WHERE reason = '' AND event = 'ended')
    AND (trace_id, span_id) NOT IN
    (
        SELECT trace_id, span_id
        FROM mastra_admin_spans_finished
        WHERE span_key IN (SELECT span_key FROM mastra_admin_span_rows WHERE event != 'ended')
            AND toDate(start_time) IN
            (
                SELECT arrayJoin([toDate(time) - 1, toDate(time), toDate(time) + 1])
                FROM mastra_admin_span_rows
                WHERE kind = 'span' AND reason = '' AND event != 'ended'
            )
    );;

-- An open span has the start time that its finished row got from it, so the finished one is found by the sorting key.
CREATE VIEW IF NOT EXISTS mastra_admin_spans_running AS
SELECT {{span_names}}
FROM mastra_admin_spans_open FINAL
WHERE (start_time, trace_id, span_id) NOT IN
(
    SELECT start_time, trace_id, span_id
    FROM mastra_admin_spans_finished
    WHERE (start_time, trace_id, span_id) IN (SELECT start_time, trace_id, span_id FROM mastra_admin_spans_open)
);;

CREATE VIEW IF NOT EXISTS mastra_admin_spans AS
SELECT {{span_names}} FROM mastra_admin_spans_finished
UNION ALL
SELECT {{span_names}} FROM mastra_admin_spans_running;;

-- === metrics, scores, feedback ========================================================================================

CREATE MATERIALIZED VIEW IF NOT EXISTS mastra_admin_store_metrics TO mastra_admin_metrics AS
SELECT
    assumeNotNull(time) AS timestamp, id, name, {{owner_names}}, trace_id, span_id,
    tupleElement(JSONExtract(line, 'data', 'Tuple(value Nullable(Float64), labels String, costContext Tuple(
        model String, provider String, estimatedCost Nullable(Float64)))') AS point, 'value') AS value,
    tupleElement(point, 'labels') AS labels,
    tupleElement(tupleElement(point, 'costContext'), 'model') AS model,
    tupleElement(tupleElement(point, 'costContext'), 'provider') AS provider,
    tupleElement(tupleElement(point, 'costContext'), 'estimatedCost') AS cost
FROM mastra_admin_span_rows
WHERE kind = 'metric' AND reason = '' AND (timestamp, id) NOT IN
(
    SELECT timestamp, id
    FROM mastra_admin_metrics
    WHERE (timestamp, id) IN (SELECT assumeNotNull(time), id FROM mastra_admin_span_rows WHERE kind = 'metric')
)
LIMIT 1 BY timestamp, id;;

CREATE MATERIALIZED VIEW IF NOT EXISTS mastra_admin_store_scores TO mastra_admin_scores AS
SELECT
    assumeNotNull(time) AS timestamp, id, {{owner_names}}, trace_id, span_id,
    tupleElement(JSONExtract(line, 'data', 'Tuple(scorerName String, scorerId String, name String,
        score Nullable(Float64), reason String)') AS point, 'score') AS score,
    multiIf(
        tupleElement(point, 'scorerName') != '', tupleElement(point, 'scorerName'),
        tupleElement(point, 'scorerId') != '', tupleElement(point, 'scorerId'),
        tupleElement(point, 'name')) AS name,
    tupleElement(point, 'reason') AS reason,
    JSONExtractRaw(line, 'data') AS data
FROM mastra_admin_span_rows AS r
WHERE kind = 'score' AND r.reason = '' AND (timestamp, id) NOT IN
(
    SELECT timestamp, id
    FROM mastra_admin_scores
    WHERE (timestamp, id) IN (SELECT assumeNotNull(time), id FROM mastra_admin_span_rows WHERE kind = 'score')
)
LIMIT 1 BY timestamp, id;;

CREATE MATERIALIZED VIEW IF NOT EXISTS mastra_admin_store_feedback TO mastra_admin_feedback AS
SELECT
    assumeNotNull(time) AS timestamp, id, {{owner_names}}, trace_id, span_id,
    tupleElement(JSONExtract(line, 'data', 'Tuple(feedbackType String, value String, comment String)') AS point,
        'feedbackType') AS name,
    tupleElement(point, 'value') AS value,
    tupleElement(point, 'comment') AS comment,
    JSONExtractRaw(line, 'data') AS data
FROM mastra_admin_span_rows
WHERE kind = 'feedback' AND reason = '' AND (timestamp, id) NOT IN
(
    SELECT timestamp, id
    FROM mastra_admin_feedback
    WHERE (timestamp, id) IN (SELECT assumeNotNull(time), id FROM mastra_admin_span_rows WHERE kind = 'feedback')
)
LIMIT 1 BY timestamp, id;;

-- === logs =============================================================================================================

CREATE MATERIALIZED VIEW IF NOT EXISTS mastra_admin_split_log_lines TO mastra_admin_log_rows AS
SELECT
    path, position, line,
    `head.type` AS kind,
    `head.event` AS event,
    if(`head.id` != '', `head.id`, lower(hex(sipHash128(line)))) AS id,
    `head.timestamp` AS written_at,
    `head.projectId` AS project_id,
    `head.deploymentId` AS deployment_id,
    `head.buildId` AS build_id,
    `head.processId` AS process_id,
    if(
        `data.timestamp` = '' AND written_at > 0,
        fromUnixTimestamp64Milli(least(written_at, 9999999999999), 'UTC'),
        parseDateTime64BestEffortOrNull(`data.timestamp`, 3, 'UTC')) AS time,
    `data.level` AS level,
    `data.message` AS message,
    if(`data.traceId` != '', `data.traceId`, tupleElement(`data.correlationContext`, 'traceId')) AS trace_id,
    if(`data.spanId` != '', `data.spanId`, tupleElement(`data.correlationContext`, 'spanId')) AS span_id,
    `data.source` AS source,
    `data.data` AS data,
    multiIf(
        kind IN ('span', 'metric', 'score', 'feedback'), 'a line in the wrong stream',
        kind = 'erased', '',
        kind NOT IN ('', 'log'), 'unknown type',
        is_rest, '',
        line = '', 'an empty line',
        kind = '' AND isValidJSON(line) = 0, 'not JSON',
        kind = '' AND JSONType(line) != 'Object', 'not an object',
        kind = '', 'unknown type',
        isNull(time), 'no time',
        time < {{oldest_log}} OR time > now() + INTERVAL 1 DAY, 'a time outside the kept range',
        '') AS reason
FROM
(
    SELECT
        path, position + end - length(line) - 1 AS position, line, line = '' AND end = size AS is_rest,
        untuple(JSONExtract(line, 'Tuple(
            id String, type String, event String, timestamp Int64,
            projectId String, deploymentId String, buildId String, processId String,
            data Tuple(
                timestamp String, level String, message String, traceId String, spanId String, source String,
                data String, correlationContext Tuple(traceId String, spanId String)))') AS parsed) AS head,
        untuple(tupleElement(parsed, 'data')) AS data
    FROM
    (
        SELECT
            path, position, length(body) + 1 AS size, splitByChar('\n', body) AS plain,
            if(position(body, '\\ud') = 0, plain, splitByChar('\n', {{mended_body}})) AS lines,
            arrayCumSum(line -> length(line) + 1, plain) AS ends
        FROM mastra_admin_log_lines
    )
    ARRAY JOIN lines AS line, ends AS end
);;

CREATE MATERIALIZED VIEW IF NOT EXISTS mastra_admin_store_logs TO mastra_admin_logs AS
SELECT
    assumeNotNull(time) AS timestamp, id, level, message, {{owner_names}}, trace_id, span_id, source, data,
    now64(3, 'UTC') AS stored_at
FROM mastra_admin_log_rows
WHERE kind = 'log' AND reason = '' AND (timestamp, id) NOT IN
(
    SELECT timestamp, id
    FROM mastra_admin_logs
    WHERE (timestamp, id) IN (SELECT assumeNotNull(time), id FROM mastra_admin_log_rows WHERE kind = 'log' AND reason = '')
)
LIMIT 1 BY timestamp, id;;

-- === rejects ==========================================================================================================

CREATE MATERIALIZED VIEW IF NOT EXISTS mastra_admin_reject_span_lines TO mastra_admin_rejects AS
SELECT
    now64(3, 'UTC') AS time, 'spans' AS stream, reason, toValidUTF8(left(r.line, 65536)) AS line, path, position,
    project_id, deployment_id, reinterpretAsUInt128(sipHash128(stream, path, position, r.line)) AS key
FROM mastra_admin_span_rows AS r
WHERE reason != '' AND key NOT IN
(
    SELECT key
    FROM mastra_admin_rejects
    WHERE key IN (SELECT reinterpretAsUInt128(sipHash128('spans', path, position, line)) FROM mastra_admin_span_rows WHERE reason != '')
);;

CREATE MATERIALIZED VIEW IF NOT EXISTS mastra_admin_reject_log_lines TO mastra_admin_rejects AS
SELECT
    now64(3, 'UTC') AS time, 'logs' AS stream, reason, toValidUTF8(left(r.line, 65536)) AS line, path, position,
    project_id, deployment_id, reinterpretAsUInt128(sipHash128(stream, path, position, r.line)) AS key
FROM mastra_admin_log_rows AS r
WHERE reason != '' AND key NOT IN
(
    SELECT key
    FROM mastra_admin_rejects
    WHERE key IN (SELECT reinterpretAsUInt128(sipHash128('logs', path, position, line)) FROM mastra_admin_log_rows WHERE reason != '')
);;

CREATE MATERIALIZED VIEW IF NOT EXISTS mastra_admin_reject_refused_lines TO mastra_admin_rejects AS
SELECT
    now64(3, 'UTC') AS time, stream, reason, toValidUTF8(left(r.line, 65536)) AS line, path, position,
    '' AS project_id, '' AS deployment_id, reinterpretAsUInt128(sipHash128(stream, path, position, r.line)) AS key
FROM mastra_admin_refused_lines AS r
WHERE key NOT IN
(
    SELECT key
    FROM mastra_admin_rejects
    WHERE key IN
        (SELECT reinterpretAsUInt128(sipHash128(stream, path, position, line)) FROM mastra_admin_refused_lines)
);;
