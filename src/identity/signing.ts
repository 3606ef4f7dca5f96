import { readIfThere, writePrivate } from "./files.ts";

/** How an authority signs; kept beside its key. */
export interface SigningSettings {
  /** How long the certificates last that it makes: milliseconds. */
  readonly validity: number;
  /** Whether the node of the folder signs while it runs, where its configuration does not say. */
  readonly online: boolean;
}

export const SIGNING_DEFAULTS: SigningSettings = { validity: 90 * 86_400_000, online: true };

/** A folder without this file has got its authority's key from elsewhere: its node does not sign unless told to. Rejects with CONFIG_INVALID. */
export async function readSigning(path: string): Promise<SigningSettings> {
  const { validity, online } = parse(await readIfThere(path));
  return {
    validity: typeof validity === "number" && validity > 0 ? validity : SIGNING_DEFAULTS.validity,
    online: online === true,
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
