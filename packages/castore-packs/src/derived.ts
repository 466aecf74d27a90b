/** Keys of derived records begin with it. */
const TILDE = 0x7e;

/** Whether a record can be made again from others. */
export function isDerived(key: Uint8Array): boolean {
  return key[0] === TILDE;
}
