import { Agent } from '@mastra/core/agent';
import { localModel } from '../models/local-model';
import { weatherTool } from '../tools/weather-tool';

export const weatherAgent = new Agent({
  id: 'weather-agent',
  name: 'Weather Agent',
  description: 'Answers questions about the weather',
  instructions: 'Answer questions about the weather. Always ask the weatherTool first.',
  model: localModel,
  tools: { weatherTool },
});
