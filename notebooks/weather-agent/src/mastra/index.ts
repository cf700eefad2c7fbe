import { Mastra } from '@mastra/core/mastra';
import { weatherAgent } from './agents/weather-agent';
import { storage } from './database';
import { visitRoutes } from './routes';
import { forecast } from './workflows/forecast';

export const mastra = new Mastra({
  agents: { weatherAgent },
  workflows: { forecast },
  storage,
  server: { apiRoutes: visitRoutes },
});
