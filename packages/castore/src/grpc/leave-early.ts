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
  const left = new AbortController();
  try {
    yield* call(signal === undefined ? left.signal : AbortSignal.any([signal, left.signal]));
  } finally {
    left.abort();
  }
}
