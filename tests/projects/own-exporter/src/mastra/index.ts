import { Agent } from '@mastra/core/agent';
import { Mastra } from '@mastra/core/mastra';
import { registerApiRoute } from '@mastra/core/server';
import { createTool } from '@mastra/core/tools';
import { PinoLogger } from '@mastra/loggers';
import { Observability, SamplingStrategyType } from '@mastra/observability';
import { z } from 'zod';
import { askChildren } from './children';
import { RememberingExporter } from './exporter';
import { model } from './model';

const exporter = new RememberingExporter();

const login = createTool({
  id: 'login',
  description: 'Logs somebody in',
  inputSchema: z.object({ user: z.string(), password: z.string() }),
  execute: async ({ user }, { mastra }) => {
    console.log('calling the directory', { user, headers: { authorization: 'Bearer secret-of-the-console' } });
    mastra?.getLogger()?.info('logged in', { user, apiKey: 'secret-of-the-logger' });
    return { user, token: 'secret-of-the-result' };
  },
});

const careless = new Agent({ id: 'careless', name: 'Careless', instructions: 'Log people in.', model, tools: { login } });

export const mastra = new Mastra({
  agents: { careless },
  logger: new PinoLogger({ name: 'own', level: 'info' }),
  observability: new Observability({
    configs: {
      own: { serviceName: 'own', exporters: [exporter] },
      unsampled: { serviceName: 'unsampled', sampling: { type: SamplingStrategyType.NEVER }, exporters: [exporter] },
    },
    configSelector: ({ requestContext }) => (requestContext?.get('unsampled') ? 'unsampled' : 'own'),
    sensitiveDataFilter: false,
  }),
  server: {
    port: 3000,
    host: '0.0.0.0',
    apiRoutes: [
      registerApiRoute('/own-exporter', {
        method: 'GET',
        handler: async context => context.json({ spans: exporter.spans, logs: exporter.logs, metrics: exporter.metrics }),
      }),
      registerApiRoute('/children', { method: 'GET', handler: async context => context.json(await askChildren()) }),
    ],
  },
});
