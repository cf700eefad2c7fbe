// A Mastra app anywhere: the agent and the workflow of a built app, with Mastra's own platform exporter, which is set up
// by its environment variables alone. It runs both, scores a span, and ends when everything is sent.
import { pathToFileURL } from 'node:url';
import { Mastra } from '@mastra/core/mastra';
import { MastraPlatformExporter, Observability } from '@mastra/observability';

const module = await import(pathToFileURL(process.argv[2]));
const built = Object.values(module).find(value => typeof value?.getAgent === 'function');

const mastra = new Mastra({
  agents: { weatherAgent: built.getAgent('weatherAgent') },
  workflows: { forecast: built.getWorkflow('forecast') },
  observability: new Observability({
    configs: {
      elsewhere: {
        serviceName: 'elsewhere',
        exporters: [new MastraPlatformExporter({ maxRetries: 1 })],
        logging: { enabled: true, level: 'debug' },
      },
    },
  }),
});

const { traceId, text } = await mastra.getAgent('weatherAgent').generate('What is the weather in Paris?', {
  tracingOptions: { metadata: { threadId: 'thread-1', resourceId: 'ada' } },
});

const failed = await (await mastra.getWorkflow('forecast').createRun()).start({ inputData: { city: 'boom' } });
mastra.getLogger().warn('the weather was told', { city: 'Paris' });

const score = { scorerId: 'politeness', scorerName: 'Politeness', score: 0.75, reason: 'said please' };
const correlationContext = { traceId };
await mastra.observability.addScore({ traceId, correlationContext, score });
const feedback = { feedbackType: 'thumbs', value: 1, comment: 'nice' };
await mastra.observability.addFeedback({ traceId, correlationContext, feedback });

for (const instance of mastra.observability.listInstances().values()) await instance.flush();
await mastra.observability.shutdown();
console.log(JSON.stringify({ traceId, text, failed: failed.status }));
process.exit(0);
