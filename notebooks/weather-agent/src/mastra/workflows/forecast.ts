import { createStep, createWorkflow } from '@mastra/core/workflows';
import { z } from 'zod';
import { lookUpWeather } from '../weather';

const weatherSchema = z.object({ city: z.string(), temperature: z.number(), sky: z.string() });

const fetchWeather = createStep({
  id: 'fetch-weather',
  inputSchema: z.object({ city: z.string() }),
  outputSchema: weatherSchema,
  execute: async ({ inputData, mastra }) => {
    mastra.getLogger().info('Fetching the weather', { city: inputData.city });
    return lookUpWeather(inputData.city);
  },
});

const writeForecast = createStep({
  id: 'write-forecast',
  inputSchema: weatherSchema,
  outputSchema: z.object({ forecast: z.string() }),
  execute: async ({ inputData: { city, temperature, sky } }) => ({
    forecast: `Tomorrow in ${city}: ${sky}, ${temperature} °C`,
  }),
});

/** Two steps, one after the other. Start it with `{ "city": "boom" }` to see the first one fail. */
export const forecast = createWorkflow({
  id: 'forecast',
  description: 'Fetches the weather of a city and writes a forecast',
  inputSchema: z.object({ city: z.string() }),
  outputSchema: z.object({ forecast: z.string() }),
})
  .then(fetchWeather)
  .then(writeForecast)
  .commit();
