/** The first descriptor that systemd passes on (sd_listen_fds(3)). */
const FIRST_DESCRIPTOR = 3;

/**
 * The sockets that systemd has opened for this process, by their descriptors.
 *
 * @param name only those of this name, as `FileDescriptorName=` gives it
 * @param ignorePid takes what the environment says also where it is meant for another process, such as
 *   one that has started this one
 * @throws Error when there are none
 */
export function activatedDescriptors(
  name: string | undefined,
  {
    environment = process.env,
    ignorePid = false,
  }: { environment?: NodeJS.ProcessEnv; ignorePid?: boolean } = {},
): readonly number[] {
  const { LISTEN_PID: pid, LISTEN_FDS: count = "0", LISTEN_FDNAMES: names = "" } = environment;
  if (!ignorePid && pid !== String(process.pid)) {
    throw new Error(
      pid === undefined
        ? "systemd has passed no socket to this process: LISTEN_PID is not set"
        : `LISTEN_PID is ${pid}, and this is ${process.pid}: systemd has passed its sockets to another process`,
    );
  }
  const named = names.split(":");
  const all = Array.from({ length: Number(count) }, (_, index) => ({
    descriptor: FIRST_DESCRIPTOR + index,
    name: named[index],
  }));
  const found = all.filter((one) => name === undefined || one.name === name);
  if (found.length > 0) return found.map(({ descriptor }) => descriptor);
  throw new Error(`systemd has passed no socket${name === undefined ? "" : ` that is called ${name}`}`);
}
