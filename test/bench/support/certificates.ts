import { TestAuthority } from "../../support/certificates.ts";

/** PEM texts, or the files that have them. One certificate serves all three ends. */
export interface Certificates {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

export async function makeCertificates(): Promise<Certificates> {
  const authority = await TestAuthority.create("benchmark");
  return { ...(await authority.issue("node")), ca: authority.ca };
}
