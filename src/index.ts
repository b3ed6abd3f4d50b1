/**
 * LLM providers as Effect services, for gateways that answer 401 for a key that works.
 */
export * as Chat from "./Chat.js"
export * as Credential from "./Credential.js"
export * as Explain from "./Explain.js"
export * as Protocol from "./Protocol.js"
export * as Provider from "./Provider.js"
export * as ProviderError from "./ProviderError.js"
export * as Anthropic from "./provider/Anthropic.js"
export * as DeepSeek from "./provider/DeepSeek.js"
export * as MiMo from "./provider/MiMo.js"
export * as MiniMax from "./provider/MiniMax.js"
export * as OpenAi from "./provider/OpenAi.js"
export * as OpenAiCompatible from "./provider/OpenAiCompatible.js"
export * as RetryObserver from "./RetryObserver.js"
export * as RetryPolicy from "./RetryPolicy.js"
export * as Tool from "./Tool.js"
export * as Transport from "./Transport.js"
