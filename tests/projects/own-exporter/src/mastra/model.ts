import type { LanguageModelV2, LanguageModelV2CallOptions, LanguageModelV2Content } from '@ai-sdk/provider';

const usage = { inputTokens: 42, outputTokens: 17, totalTokens: 59 };

/** Calls the login tool with a secret in its arguments, then says that it is done. It doesn't stream. */
export const model: LanguageModelV2 = {
  specificationVersion: 'v2',
  provider: 'local',
  modelId: 'careless-1',
  supportedUrls: {},
  async doGenerate({ prompt }: LanguageModelV2CallOptions) {
    const isAnswered = prompt.at(-1)?.role === 'tool';
    return { content: [isAnswered ? answer : call], finishReason: isAnswered ? 'stop' : 'tool-calls', usage, warnings: [] };
  },
  async doStream() {
    throw new Error('This model does not stream');
  },
};

const call: LanguageModelV2Content = {
  type: 'tool-call',
  toolCallId: 'call-1',
  toolName: 'login',
  input: JSON.stringify({ user: 'ada', password: 'secret-of-the-arguments' }),
};

const answer: LanguageModelV2Content = { type: 'text', text: 'You are logged in.' };
