import { agentsApi } from './agents.ts';
import type { PolyAiApi } from './api.ts';
import { outboundCallingApi } from './outbound-calling.ts';

/** Every API of PolyAI's that polykeep speaks. */
export const APIS: readonly PolyAiApi[] = [outboundCallingApi, agentsApi];
