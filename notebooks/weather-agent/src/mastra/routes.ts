import { registerApiRoute } from '@mastra/core/server';
import { countVisit, countVisits } from './database';

/** `POST /visits` counts one more visit, `GET /visits` tells how many there were: they outlive the server. */
export const visitRoutes = [
  registerApiRoute('/visits', {
    method: 'POST',
    handler: async context => context.json({ visits: await countVisit() }),
  }),
  registerApiRoute('/visits', {
    method: 'GET',
    handler: async context => context.json({ visits: await countVisits() }),
  }),
];
