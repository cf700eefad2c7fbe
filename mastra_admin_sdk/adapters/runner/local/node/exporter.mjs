// The exporter that each observability instance of the app gets, and the way log events come to it.
import { guarded } from './complaints.mjs';

const EVENTS = { span_started: 'started', span_updated: 'updated', span_ended: 'ended' };
const LEVELS = new Set(['debug', 'info', 'warn', 'error', 'fatal']);
const DONE = Promise.resolve(); // some versions of Mastra wait for what an exporter returns

/** Returns an exporter by Mastra's interface, which writes what it gets to `telemetry`. */
export function createExporter(telemetry, recorder) {
  let logsSeen = 0;

  function recordSpan({ type, exportedSpan }) {
    telemetry.recordSpan(EVENTS[type] ?? String(type), exportedSpan);
    return DONE;
  }

  function recordLog(log) {
    guarded('matching a log event', () => recorder.forget(log.message));
    telemetry.recordLog({ ...log, source: 'logger' });
  }

  function record(type, data) {
    telemetry.record(type, data);
    return DONE;
  }

  return {
    name: 'mastra-admin-file',
    get logsSeen() {
      return logsSeen;
    },
    init() {},
    onTracingEvent: recordSpan,
    exportTracingEvent: recordSpan,
    exportEvent: recordSpan, // its name before 1.0
    onLogEvent(event) {
      logsSeen += 1;
      recordLog(event.log ?? event);
      return DONE;
    },
    onMetricEvent: event => record('metric', event.metric ?? event),
    onScoreEvent: event => record('score', event.score ?? event),
    onFeedbackEvent: event => record('feedback', event.feedback ?? event),
    recordLog,
    flush: () => telemetry.flush(),
    shutdown: () => telemetry.flush(),
  };
}

/**
 * Makes every log record of an observability instance come to `exporter`. By themselves only those from level `warn` on
 * do, unless the app has set `logging` otherwise; that setting stays in force for the app's own exporters.
 */
export function tapLogs(instance, exporter) {
  const original = instance.getLoggerContext;
  if (typeof original !== 'function') return;
  const getLoggerContext = function (span) {
    return tapContext(Reflect.apply(original, this, [span]), span, exporter);
  };
  Object.defineProperty(instance, 'getLoggerContext', { value: getLoggerContext, configurable: true, writable: true });
}

function tapContext(context, span, exporter) {
  return new Proxy(context, {
    get(target, name) {
      const member = target[name];
      if (typeof member !== 'function') return member;
      if (!LEVELS.has(name)) return member.bind(target);
      return (message, data) => {
        const before = exporter.logsSeen;
        member.call(target, message, data);
        if (exporter.logsSeen === before) guarded('recording a log', () => exporter.recordLog(describe(name, message, data, span)));
      };
    },
  });
}

/** The record that Mastra would have made. */
function describe(level, message, data, span) {
  const context = span?.getCorrelationContext?.();
  return { timestamp: new Date(), level, message, data, ...identify(span), correlationContext: context, metadata: span?.metadata };
}

/** Trace and span id of a span as it is exported; nothing for one that isn't. */
export function identify(span) {
  if (!span || span.isValid === false) return undefined;
  const spanId = typeof span.getExportedSpanId === 'function' ? span.getExportedSpanId() : span.id;
  return { traceId: span.traceId, spanId };
}
