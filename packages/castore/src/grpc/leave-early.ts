/**
 * The messages of a call that its consumer may leave early. Connect's clients do not tell a
 * transport when a loop over a response is left; an aborted signal does.
 *
 * @param call starts the call with the signal it is given
 * @param signal the caller's own
 */
export async function* leavingEarly<T>(
  call: (signal: AbortSignal) => AsyncIterable<T>,
  signal: AbortSignal | undefined,
): AsyncGenerator<T, void, undefined> {
  // Not `AbortSignal.any`: what it makes is remembered by a signal that outlives many calls.
  const own = new AbortController();
  const passOn = () => own.abort(signal?.reason);
  signal?.addEventListener("abort", passOn);
  if (signal?.aborted === true) passOn();
  let isComplete = false;
  try {
    yield* call(own.signal);
    isComplete = true;
  } finally {
    signal?.removeEventListener("abort", passOn);
    if (!isComplete) own.abort();
  }
}
