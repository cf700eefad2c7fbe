import type { LogEvent, MetricEvent, TracingEvent } from '@mastra/core/observability';
import { BaseExporter } from '@mastra/observability';

/** The app's own exporter: it remembers what it got, for the route `/own-exporter` to show. */
export class RememberingExporter extends BaseExporter {
  name = 'remembering';
  readonly spans: string[] = [];
  readonly logs: string[] = [];
  readonly metrics: string[] = [];

  protected async _exportTracingEvent({ type, exportedSpan }: TracingEvent): Promise<void> {
    this.spans.push(`${type} ${exportedSpan.type}`);
  }

  async onLogEvent({ log }: LogEvent): Promise<void> {
    this.logs.push(`${log.level} ${log.message}`);
  }

  async onMetricEvent({ metric }: MetricEvent): Promise<void> {
    this.metrics.push(metric.name);
  }
}
