import { readIfThere, writePrivate } from "./files.ts";

/** How an authority signs; kept beside its key. */
export interface SigningSettings {
  /** How long the certificates last that it makes: milliseconds. */
  readonly validity: number;
}

export const SIGNING_DEFAULTS: SigningSettings = { validity: 90 * 86_400_000 };

/** What is not said there is as in SIGNING_DEFAULTS. Rejects with CONFIG_INVALID. */
export async function readSigning(path: string): Promise<SigningSettings> {
  const { validity } = parse(await readIfThere(path));
  return {
    validity: typeof validity === "number" && validity > 0 ? validity : SIGNING_DEFAULTS.validity,
  };
}

export async function writeSigning(path: string, settings: SigningSettings): Promise<void> {
  await writePrivate(path, `${JSON.stringify(settings)}\n`);
}

function parse(text: string | undefined): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text ?? "{}");
    return typeof value === "object" && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}
