import { MeshError } from "../core/errors.ts";
import { decodeHello, type Greeting, helloVersion } from "../wire/greeting.ts";

/** A hello that was read, or the reason to refuse it, or both. */
export type HelloResult =
  | { readonly greeting: Greeting; readonly refusal: MeshError | undefined }
  | { readonly greeting: undefined; readonly refusal: MeshError };

/** Whether this version can talk to the peer at all: VERSION_MISMATCH, UNSUPPORTED. Throws PROTOCOL_ERROR where it is no hello. */
export function readHello(body: Uint8Array, local: Greeting): HelloResult {
  const version = helloVersion(body);
  if (version !== undefined && version.major !== local.versionMajor) {
    const message = `the peer speaks protocol ${version.major}, this node ${local.versionMajor}: update the older of the two`;
    return {
      greeting: undefined,
      refusal: new MeshError("VERSION_MISMATCH", message, { data: { theirs: version.major, ours: local.versionMajor } }),
    };
  }
  const greeting = decodeHello(body);
  const features = (greeting.critical ?? []).filter((feature) => !local.capabilities.includes(feature));
  if (features.length === 0) return { greeting, refusal: undefined };
  return {
    greeting,
    refusal: new MeshError("UNSUPPORTED", `this node lacks ${features.join(", ")}, which the peer requires`, { data: { features } }),
  };
}
