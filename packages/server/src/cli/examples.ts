import type { Command } from "commander";

/** What people type, by command: printed behind its help, and in the manual page. */
const EXAMPLES: Readonly<Record<string, readonly string[]>> = {
  daemon: [
    "tvix-store daemon",
    "tvix-store daemon --data /var/lib/tvix-store --listen-address [::]:8000 --signing-key-file cache.key",
    "tvix-store daemon --upstream nix+https://cache.nixos.org",
  ],
  "castore ingest": [
    "tvix-store castore ingest ./tree",
    "tar c ./tree | tvix-store castore ingest - --format tar",
  ],
  "castore restore": [
    "tvix-store castore restore blake3-… ./tree",
    "tvix-store castore restore blake3-… tree.zip --format zip",
  ],
  "castore ls": ["tvix-store castore ls blake3-… -R"],
  "castore cat": ["tvix-store castore cat blake3-… share/doc/README"],
  import: ["tvix-store import ./hello-2.12"],
  copy: [
    "tvix-store copy /nix/store/…-hello --from grpc+https://cache.example.org --to grpc+http://localhost:8000",
  ],
  migrate: [
    "tvix-store migrate --from level:///var/lib/tvix-store --to 'postgres://tvix@db/tvix?extents=s3://bucket/packs'",
  ],
  push: [
    "tvix-store push ./result --service-addr grpc+https://cache.example.org",
    "nix-build | xargs tvix-store push --json",
  ],
  ls: ["tvix-store ls /nix/store/…-hello bin"],
  find: ["tvix-store find 'libssl.so*'", "tvix-store find 'bin/*' /nix/store/…-hello"],
  du: ["tvix-store du /nix/store/…-hello /nix/store/…-glibc"],
  diff: ["tvix-store diff /nix/store/…-hello-2.11 /nix/store/…-hello-2.12"],
  why: ["tvix-store why /nix/store/…-hello"],
  doctor: ["tvix-store doctor --service-addr grpc+https://cache.example.org"],
  "watch-store": ["tvix-store watch-store --service-addr grpc+https://cache.example.org &"],
  use: [
    "tvix-store use https://cache.example.org                  # look at the lines",
    "tvix-store use https://cache.example.org --write          # for this user, who has to be a trusted one of Nix",
    "sudo tvix-store use https://cache.example.org --write --system",
  ],
  login: ["tvix-store login https://cache.example.org < token"],
  logout: ["tvix-store logout https://cache.example.org"],
  "nar dump": ["tvix-store nar dump /nix/store/…-hello > hello.nar"],
  "nar ingest": ["nix-store --dump ./result | tvix-store nar ingest -"],
  "nar ls": ["tvix-store nar ls /nix/store/…-hello"],
  "path-info show": [
    "tvix-store path-info /nix/store/…-hello",
    "tvix-store path-info show /nix/store/…-hello --json",
  ],
  "path-info list": ["tvix-store path-info list --json"],
  gc: ["tvix-store gc --dry-run", "tvix-store gc --keep-unused 30d --grace 12h"],
  pin: ["tvix-store pin release-1.0 /nix/store/…-hello", "tvix-store pin assets directory:blake3-…"],
  unpin: ["tvix-store unpin release-1.0"],
  pins: ["tvix-store pins --json"],
  forget: ["tvix-store forget /nix/store/…-secret --referrers"],
  verify: ["tvix-store verify", "tvix-store verify --read-data-subset 1/7 --json"],
  repair: ["tvix-store repair --data /var/lib/tvix-store --from nix+https://cache.nixos.org"],
  backup: ["tvix-store backup /mnt/backup/tvix-store"],
  "restore-backup": ["tvix-store restore-backup /mnt/backup/tvix-store --data /var/lib/tvix-store"],
  stats: ["tvix-store stats --compare 20"],
  "keys generate": ["tvix-store keys generate cache.example.org-1 cache.key"],
  "token create": ["tvix-store token create ci --scope write --expires 90d"],
  "token list": ["tvix-store token list"],
  "token revoke": ["tvix-store token revoke 0123456789ab"],
  "config check": ["tvix-store config check /etc/tvix-store.toml"],
  man: ["tvix-store man | man -l -"],
  completion: ["source <(tvix-store completion bash)"],
};

/** The name of a command, without that of the program. */
export function fullName(command: Command): string {
  return command.parent?.parent == null ? command.name() : `${fullName(command.parent)} ${command.name()}`;
}

/** What people type for a command; none for one that only has others below it. */
export function examplesOf(command: Command): readonly string[] {
  return EXAMPLES[fullName(command)] ?? [];
}

/** Prints the examples of all commands behind their help. */
export function addExamples(program: Command): void {
  for (const command of program.commands) {
    const examples = examplesOf(command);
    if (examples.length > 0) {
      const title = examples.length === 1 ? "Example" : "Examples";
      command.addHelpText("after", `\n${title}:\n${examples.map((line) => `  ${line}\n`).join("")}`);
    }
    addExamples(command);
  }
}
