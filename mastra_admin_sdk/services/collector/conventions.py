"""What attributes are called: OpenTelemetry's conventions for GenAI, old and new, and those of other libraries.

First comes OpenTelemetry as it is now (``gen_ai.…``), then what it was before, then OpenInference, OpenLLMetry and the
AI SDK of Vercel. Mastra's own exporter for OpenTelemetry adds ``mastra.…``, which says what its spans really are.
"""

from __future__ import annotations

from collections.abc import Mapping

OPERATIONS: Mapping[str, str] = {
    "chat": "model_generation",
    "text_completion": "model_generation",
    "generate_content": "model_generation",
    "embeddings": "rag_embedding",
    "retrieval": "rag_vector_operation",
    "execute_tool": "tool_call",
    "invoke_agent": "agent_run",
    "create_agent": "generic",
    "invoke_workflow": "workflow_run",
    "agent_step": "model_step",
}
"""Span type by ``gen_ai.operation.name``."""

OPENINFERENCE: Mapping[str, str] = {
    "LLM": "model_generation",
    "AGENT": "agent_run",
    "TOOL": "tool_call",
    "CHAIN": "generic",
    "RETRIEVER": "rag_vector_operation",
    "EMBEDDING": "rag_embedding",
    "RERANKER": "rag_action",
    "GUARDRAIL": "processor_run",
    "EVALUATOR": "scorer_run",
}
"""Span type by ``openinference.span.kind``."""

OPENLLMETRY: Mapping[str, str] = {
    "workflow": "workflow_run",
    "task": "workflow_step",
    "agent": "agent_run",
    "tool": "tool_call",
}
"""Span type by ``traceloop.span.kind``."""

AI_SDK: Mapping[str, str] = {
    "ai.generateText": "model_generation",
    "ai.generateText.doGenerate": "model_inference",
    "ai.streamText": "model_generation",
    "ai.streamText.doStream": "model_inference",
    "ai.generateObject": "model_generation",
    "ai.generateObject.doGenerate": "model_inference",
    "ai.streamObject": "model_generation",
    "ai.streamObject.doStream": "model_inference",
    "ai.embed": "rag_embedding",
    "ai.embedMany": "rag_embedding",
    "ai.toolCall": "tool_call",
}
"""Span type by ``ai.operationId``. The outer span of a call counts the tokens of the inner ones as well."""

REQUESTS: Mapping[str, str] = {
    "chat": "model_generation",
    "completion": "model_generation",
    "embedding": "rag_embedding",
    "rerank": "rag_action",
}
"""Span type by ``llm.request.type``."""

TOOLS = frozenset({"tool_call", "mcp_tool_call", "client_tool_call", "provider_tool_call"})
MODELS = frozenset({"model_generation", "model_step", "model_inference"})
CALLS = frozenset({"model_generation", "model_inference"})

MODEL = (
    *("gen_ai.request.model", "gen_ai.response.model", "llm.model_name", "embedding.model_name", "llm.request.model"),
    *("ai.model.id", "ai.response.model"),
)
PROVIDER = ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system", "ai.model.provider")
AGENT_ID = ("gen_ai.agent.id",)
AGENT_NAME = ("gen_ai.agent.name", "agent.name")
TOOL_NAME = ("gen_ai.tool.name", "tool.name", "ai.toolCall.name", "traceloop.entity.name")
WORKFLOW_NAME = ("gen_ai.workflow.name", "traceloop.entity.name", "traceloop.workflow.name")
STEP_NAME = ("mastra.workflow_step.step_id", "traceloop.entity.name")

THREAD = (
    *("gen_ai.conversation.id", "mastra.metadata.threadId", "session.id", "langfuse.session.id"),
    *("traceloop.association.properties.session_id", "traceloop.association.properties.thread_id"),
    *("ai.telemetry.metadata.threadId", "ai.telemetry.metadata.sessionId"),
)
USER = (
    *("mastra.metadata.resourceId", "user.id", "enduser.id", "mastra.metadata.userId", "langfuse.user.id"),
    *("traceloop.association.properties.user_id", "ai.telemetry.metadata.userId"),
)
RUN = ("mastra.metadata.runId", "gen_ai.workflow.run.id", "ai.telemetry.metadata.runId")

INPUT_TOKENS = (
    *("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt", "llm.usage.prompt_tokens"),
    *("ai.usage.inputTokens", "ai.usage.promptTokens", "ai.usage.tokens"),
)
OUTPUT_TOKENS = (
    *("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.token_count.completion"),
    *("llm.usage.completion_tokens", "ai.usage.outputTokens", "ai.usage.completionTokens"),
)
CACHE_READ = (
    *("gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens"),
    *("llm.token_count.prompt_details.cache_read", "ai.usage.cachedInputTokens"),
)
CACHE_WRITE = (
    *("gen_ai.usage.cache_creation.input_tokens", "gen_ai.usage.cache_creation_input_tokens"),
    *("llm.token_count.prompt_details.cache_write",),
)
REASONING = (
    *("gen_ai.usage.reasoning.output_tokens", "gen_ai.usage.reasoning_tokens"),
    *("llm.token_count.completion_details.reasoning", "ai.usage.reasoningTokens"),
)

PARAMETERS: Mapping[str, str] = {
    "gen_ai.request.temperature": "temperature",
    "gen_ai.request.max_tokens": "maxOutputTokens",
    "gen_ai.request.top_p": "topP",
    "gen_ai.request.top_k": "topK",
    "gen_ai.request.presence_penalty": "presencePenalty",
    "gen_ai.request.frequency_penalty": "frequencyPenalty",
    "gen_ai.request.stop_sequences": "stopSequences",
    "gen_ai.request.seed": "seed",
}
"""Parameters of a model call, by what Mastra calls them."""

FACTS: Mapping[str, tuple[str, ...]] = {
    "responseModel": ("gen_ai.response.model", "ai.response.model"),
    "responseId": ("gen_ai.response.id", "ai.response.id"),
    "toolCallId": ("gen_ai.tool.call.id", "ai.toolCall.id", "tool_call.id"),
    "toolType": ("gen_ai.tool.type",),
    "toolDescription": ("gen_ai.tool.description", "tool.description"),
    "completionStartTime": ("mastra.completion_start_time",),
}
"""Further attributes by what Mastra calls them."""

TOOL_INPUT = ("gen_ai.tool.call.arguments", "ai.toolCall.args", "ai.toolCall.input", "tool.parameters")
TOOL_OUTPUT = ("gen_ai.tool.call.result", "ai.toolCall.result", "ai.toolCall.output")
INPUT = (
    *("gen_ai.input.messages", "gen_ai.prompt", "ai.prompt.messages", "ai.prompt", "ai.value", "ai.values"),
    *("input.value", "traceloop.entity.input"),
)
OUTPUT = (
    *("gen_ai.output.messages", "gen_ai.completion", "ai.response.text", "ai.response.object", "ai.response.toolCalls"),
    *("output.value", "traceloop.entity.output"),
)
NUMBERED_INPUT = ("gen_ai.prompt.", "llm.input_messages.", "llm.prompts.")
NUMBERED_OUTPUT = ("gen_ai.completion.", "llm.output_messages.", "llm.completions.")
INSTRUCTIONS = ("gen_ai.system_instructions",)
FINISH = ("gen_ai.response.finish_reasons", "ai.response.finishReason", "llm.finish_reason")

MESSAGE_EVENTS: Mapping[str, str] = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
}
"""Events that older conventions put what was said into, and whose words they are."""

OWN_RECORD = "mastra.admin.record"
"""What a span that MastraAdmin has exported was: JSON with the fields that the conventions don't bring back exactly."""

UNKEPT = frozenset({"process.command", "process.command_args", "process.command_line"})
"""Attributes of a resource that are left out: they say what a program was started with, secrets included."""

ENVIRONMENT = ("deployment.environment.name", "deployment.environment")
