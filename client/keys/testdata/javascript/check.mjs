// Checks vectors.json without the Go code, from the comment of package keys. It prints one wrapped key per recipient of
// the keyrings as JSON, which the Go test opens.
import assert from "node:assert/strict";
import { createDecipheriv, createPrivateKey, createPublicKey, sign, verify } from "node:crypto";
import { readFileSync } from "node:fs";
import { Aes256Gcm, CipherSuite, HkdfSha256 } from "@hpke/core";
import { XWing } from "@hpke/hybridkem-x-wing";
import { argon2id } from "@noble/hashes/argon2.js";
import { expand, extract } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";

const hex = (text) => Uint8Array.from(Buffer.from(text, "hex"));
const utf8 = (text) => new TextEncoder().encode(text);
const join = (...parts) => Uint8Array.from(Buffer.concat(parts.map((x) => Uint8Array.from(x))));
const same = (got, want, name) =>
  assert.equal(Buffer.from(got).toString("hex"), Buffer.from(want).toString("hex"), name);
const base64url = (bytes) => Buffer.from(bytes).toString("base64url");
const u32 = (n) => { const out = Buffer.alloc(4); out.writeUInt32BE(n); return out; };
const u64 = (n) => { const out = Buffer.alloc(8); out.writeBigUInt64BE(BigInt(n)); return out; };
const part = (x) => join(u32(x.length), x);
const form = (prefix, raw) => `${prefix}_${base64url(raw)}${base64url(sha256(join(utf8(prefix), raw))).slice(0, 6)}`;
const derive = (prk, info, size) => expand(sha256, prk, utf8(info), size);

const suite = new CipherSuite({ kem: new XWing(), kdf: new HkdfSha256(), aead: new Aes256Gcm() });

function open(key, label, aad, sealed) {
  const salt = sealed.slice(0, 32), commit = sealed.slice(32, 64), text = sealed.slice(64, -16);
  const prk = extract(sha256, key, salt);
  same(derive(prk, `${label}/commit`, 32), commit, "commitment");
  const cipher = createDecipheriv("aes-256-gcm", derive(prk, `${label}/key`, 32), Buffer.alloc(12));
  cipher.setAAD(join(part(utf8(label)), salt, commit, aad));
  cipher.setAuthTag(sealed.slice(-16));
  return join(cipher.update(text), cipher.final());
}

// The prefixes are the DER encoding of Ed25519 keys (RFC 8410).
const signer = (seed) => createPrivateKey({
  key: join(hex("302e020100300506032b657004220420"), seed), format: "der", type: "pkcs8" });
const verifier = (raw) => createPublicKey({
  key: join(hex("302a300506032b6570032100"), raw), format: "der", type: "spki" });

async function identityOf(seed) {
  const pair = await suite.kem.generateKeyPairDerand(derive(seed, "lockbox/v1/identity/hpke", 32));
  const key = signer(derive(seed, "lockbox/v1/identity/sign", 32));
  const signPublic = createPublicKey(key).export({ format: "der", type: "spki" }).subarray(-32);
  const bytes = join([1], new Uint8Array(await suite.kem.serializePublicKey(pair.publicKey)), signPublic);
  return { pair, key, bytes, signPublic, fingerprint: sha256(join(utf8("lockbox/v1/fingerprint"), bytes)) };
}

async function checkIdentity(v) {
  const seed = hex(v.seed32), id = await identityOf(seed);
  assert.equal(form("lbid1", seed), v.identity);
  assert.equal(form("lbpk1", id.bytes), v.public);
  same(id.fingerprint, hex(v.fingerprint32), "fingerprint");
  const locked = hex(v.locked), salt = locked.slice(1, 17);
  assert.equal(locked[0], 1);
  const key = argon2id(utf8(v.passphrase), salt, { m: 65536, t: 3, p: 1, dkLen: 32 });
  const owner = join(part(hex(v.installation_id)), part(hex(v.user_id)), part(id.fingerprint));
  same(open(key, "lockbox/v1/locked", owner, locked.slice(17)), seed, "locked identity");
}

// Returns one new wrapped key per recipient.
async function checkKeyring(v) {
  const key = hex(v.box_key32), keyID = derive(key, "lockbox/v1/key-id", 16);
  assert.equal(form("lbk1", key), v.box_key);
  assert.equal(base64url(keyID), v.key_id);
  const place = join(part(hex(v.installation_id)), part(hex(v.box_id)), [v.mode]);
  let lines = new Uint8Array();
  const wrapped = [];
  for (const r of v.recipients) {
    const { pair, fingerprint } = await identityOf(hex(r.seed32));
    same(fingerprint, hex(r.fingerprint32), "recipient");
    const info = join(part(utf8("lockbox/v1/wrap")), place, keyID, fingerprint), sent = hex(r.wrapped);
    const text = await suite.open({ recipientKey: pair, enc: sent.slice(0, 1120), info }, sent.slice(1120));
    same(new Uint8Array(text), key, "wrapped key");
    const to = { recipientPublicKey: pair.publicKey, info };
    const again = await suite.seal({ ...to, ekm: hex(r.encapsulation_random64) }, key);
    same(join(new Uint8Array(again.enc), new Uint8Array(again.ct)), sent, "wrapped key with the same random bytes");
    const own = await suite.seal(to, key);
    wrapped.push(base64url(join(new Uint8Array(own.enc), new Uint8Array(own.ct))));
    lines = join(lines, hex(r.user_id), fingerprint, sha256(sent));
  }
  const author = await identityOf(hex(v.author_seed32));
  const head = join(part(utf8("lockbox/v1/keyring")), place, u64(v.sequence), keyID, author.fingerprint, sha256(lines));
  same(head, hex(v.head), "head");
  const chain = hex(v.chain);
  same(open(key, "lockbox/v1/chain", head, chain), join(...v.earlier_keys.map(hex)), "chain");
  const message = join(part(utf8("lockbox/v1/keyring/signature")), head, chain);
  assert(verify(null, message, verifier(author.signPublic), hex(v.signature)), "signature");
  same(sign(null, message, author.key), hex(v.signature), "signature");
  assert.equal(form("lba1", join(hex(v.box_id), [v.mode], keyID)), v.anchor);
  return wrapped;
}

const vectors = JSON.parse(readFileSync(process.argv[2], "utf8"));
for (const each of vectors.identities) {
  await checkIdentity(each);
}
const wrapped = [];
for (const each of vectors.keyrings) {
  wrapped.push(await checkKeyring(each));
}
console.log(JSON.stringify(wrapped));
