/** Asks one service. */
export type Ask<T> = () => Promise<T | undefined>;

/**
 * What the first service has that has it; they are asked one after the other. One that fails does not
 * hide what another has; but where none has it, the failure is told, since that one may have it.
 *
 * @param isPassing whether the failure of one lets the next one be asked
 * @throws the first failure, when nothing was found
 */
export async function firstFound<T>(
  asks: readonly Ask<T>[],
  isPassing: (error: unknown) => boolean,
): Promise<T | undefined> {
  let failure: { readonly error: unknown } | undefined;
  for (const ask of asks) {
    try {
      const found = await ask();
      if (found !== undefined) return found;
    } catch (error) {
      if (!isPassing(error)) throw error;
      failure ??= { error };
    }
  }
  if (failure !== undefined) throw failure.error;
  return undefined;
}
