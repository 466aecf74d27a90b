import { type ContextKey, createContextKey, type Interceptor } from "@connectrpc/connect";
import { B3_DIGEST_LENGTH, B3Digest } from "@tvix/castore";
import { encodeNixbase32 } from "@tvix/nix-compat";
import { withNext } from "./with-next.ts";

/** Is told what a call is about, where anybody wants to know. */
export const noteSubject: ContextKey<((subject: string) => void) | undefined> = createContextKey<
  ((subject: string) => void) | undefined
>(undefined, { description: "is told what a call is about" });

/** Length of the digest of a store path, in bytes. */
const STORE_PATH_BYTES = 20;

/** Longest name of a store path that is shown, in bytes: those that are names are shorter. */
const SHOWN_NAME_BYTES = 256;

/** Notes the digest that a request asks for, or that the answer to a put names. */
export function noteSubjects(): Interceptor {
  return (next) => async (request) => {
    const note = request.contextValues.get(noteSubject);
    if (note === undefined) return await next(request);
    const see = (message: unknown) => {
      const subject = subjectOf(message);
      if (subject !== undefined) note(subject);
    };
    if (!request.stream) see(request.message);
    const response = await next(
      request.stream ? { ...request, message: seen(request.message, see) } : request,
    );
    if (request.method.name !== "Put") return response;
    // What was put is known by the answer.
    if (response.stream) return { ...response, message: seen(response.message, see) };
    see(response.message);
    return response;
  };
}

/** The same messages, the first of which is seen. */
function seen<T>(messages: AsyncIterable<T>, see: (message: T) => void): AsyncIterable<T> {
  let isFirst = true;
  return withNext(messages, async (next) => {
    const result = await next();
    if (isFirst && result.done !== true) see(result.value);
    isFirst = false;
    return result;
  });
}

/** What a message names, by whatever field the schemas have for it. */
function subjectOf(message: unknown): string | undefined {
  if (typeof message !== "object" || message === null) return undefined;
  const { digest, rootDigest, byWhat, node } = message as Record<string, unknown>;
  const name = (node as { node?: { value?: { name?: unknown } } } | undefined)?.node?.value?.name;
  if (name instanceof Uint8Array) return new TextDecoder().decode(name.subarray(0, SHOWN_NAME_BYTES));
  for (const bytes of [digest, rootDigest, (byWhat as { value?: unknown } | undefined)?.value]) {
    if (!(bytes instanceof Uint8Array)) continue;
    if (bytes.length === B3_DIGEST_LENGTH) return B3Digest.from(bytes).toString();
    if (bytes.length === STORE_PATH_BYTES) return encodeNixbase32(bytes);
  }
  return undefined;
}
