import type {
  LanguageModelV2,
  LanguageModelV2CallOptions,
  LanguageModelV2Content,
  LanguageModelV2FinishReason,
  LanguageModelV2Prompt,
  LanguageModelV2StreamPart,
  LanguageModelV2ToolResultPart,
  LanguageModelV2Usage,
} from '@ai-sdk/provider';

interface Turn {
  content: LanguageModelV2Content[];
  finishReason: LanguageModelV2FinishReason;
  usage: LanguageModelV2Usage;
}

/**
 * A language model without a network: asked about the weather it calls the weather tool, and puts the tool's result
 * into a sentence. The same question gets the same answer. Swap it for a real one (`model: 'openai/gpt-5'`) any time.
 */
export const localModel: LanguageModelV2 = {
  specificationVersion: 'v2',
  provider: 'local',
  modelId: 'weather-1',
  supportedUrls: {},

  async doGenerate(options) {
    return { ...takeTurn(options), warnings: [] };
  },

  async doStream(options) {
    return { stream: ReadableStream.from(streamParts(takeTurn(options))) };
  },
};

function takeTurn({ prompt }: LanguageModelV2CallOptions): Turn {
  const toolResult = lastToolResult(prompt);
  return toolResult ? answer(prompt, toolResult) : callTool(prompt);
}

function callTool(prompt: LanguageModelV2Prompt): Turn {
  const input = JSON.stringify({ city: findCity(lastQuestion(prompt)) });
  return {
    content: [{ type: 'tool-call', toolCallId: `call-${prompt.length}`, toolName: 'weatherTool', input }],
    finishReason: 'tool-calls',
    usage: countUsage(prompt, input),
  };
}

function answer(prompt: LanguageModelV2Prompt, result: LanguageModelV2ToolResultPart): Turn {
  const text = describe(result.output);
  return { content: [{ type: 'text', text }], finishReason: 'stop', usage: countUsage(prompt, text) };
}

function describe(output: LanguageModelV2ToolResultPart['output']): string {
  if (output.type !== 'json') return 'I could not find out about the weather.';
  const { city, temperature, sky } = output.value as { city: string; temperature: number; sky: string };
  return `In ${city} it is ${sky} with ${temperature} °C.`;
}

function lastToolResult(prompt: LanguageModelV2Prompt): LanguageModelV2ToolResultPart | undefined {
  const last = prompt.at(-1);
  return last?.role === 'tool' ? last.content.at(-1) : undefined;
}

function lastQuestion(prompt: LanguageModelV2Prompt): string {
  const question = prompt.findLast(message => message.role === 'user');
  return question ? question.content.map(part => (part.type === 'text' ? part.text : '')).join(' ') : '';
}

/** Takes what follows "in" or "for", else the last word: "What is the weather in New York?" asks about New York. */
function findCity(question: string): string {
  const words = question.replace(/[?!.]+\s*$/, '').trim();
  return /.*\b(?:in|for)\s+(.+)$/i.exec(words)?.[1] ?? words.split(/\s+/).at(-1) ?? '';
}

/** Counts words, which is as good as tokens for a model that has none. */
function countUsage(prompt: LanguageModelV2Prompt, output: string): LanguageModelV2Usage {
  const inputTokens = countWords(JSON.stringify(prompt));
  const outputTokens = countWords(output);
  return { inputTokens, outputTokens, totalTokens: inputTokens + outputTokens };
}

function countWords(text: string): number {
  return text.match(/[\p{L}\p{N}]+/gu)?.length ?? 0;
}

function* streamParts({ content, finishReason, usage }: Turn): Generator<LanguageModelV2StreamPart> {
  yield { type: 'stream-start', warnings: [] };
  for (const part of content) {
    if (part.type === 'text') yield* streamText(part.text);
    else if (part.type === 'tool-call') yield part;
  }
  yield { type: 'finish', finishReason, usage };
}

function* streamText(text: string): Generator<LanguageModelV2StreamPart> {
  yield { type: 'text-start', id: 'text' };
  for (const delta of text.match(/\S+\s*/g) ?? []) yield { type: 'text-delta', id: 'text', delta };
  yield { type: 'text-end', id: 'text' };
}
