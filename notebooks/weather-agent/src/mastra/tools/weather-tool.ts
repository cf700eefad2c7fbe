import { createTool } from '@mastra/core/tools';
import { z } from 'zod';
import { lookUpWeather } from '../weather';

export const weatherTool = createTool({
  id: 'weatherTool',
  description: 'Tells the weather of a city',
  inputSchema: z.object({ city: z.string() }),
  outputSchema: z.object({ city: z.string(), temperature: z.number(), sky: z.string() }),
  execute: async ({ city }) => {
    console.log(`Looking up the weather in ${city}`);
    return lookUpWeather(city);
  },
});
