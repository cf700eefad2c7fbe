// An app that every Mastra since 0.10 understands: one workflow with one step.
import { Mastra } from '@mastra/core/mastra';
import { createStep, createWorkflow } from '@mastra/core/workflows';
import { z } from 'zod';

const greet = createStep({
  id: 'greet',
  inputSchema: z.object({ name: z.string() }),
  outputSchema: z.object({ greeting: z.string() }),
  execute: async ({ inputData }) => {
    console.log(`greeting ${inputData.name}`);
    return { greeting: `Hello, ${inputData.name}` };
  },
});

const greeting = createWorkflow({ id: 'greeting', inputSchema: greet.inputSchema, outputSchema: greet.outputSchema })
  .then(greet)
  .commit();

export const mastra = new Mastra({ workflows: { greeting } });
