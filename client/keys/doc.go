// Package keys distributes the encryption keys of boxes. Each member has an identity, which is a key pair that only the
// member holds. The keyring of a box contains the key of the box, encrypted ("wrapped") to the public key of each
// recipient. The server stores the keyring but cannot open it.
//
// # Formats
//
// Integers are big endian. The operator | concatenates bytes. A quoted text stands for its ASCII bytes. A number at the
// end of a name is the length of the value in bytes. Extract and Expand are HKDF-SHA256 (RFC 5869). A UUID is encoded
// as 16 bytes.
//
//	part(x)  = length of x as u32 | x
//
//	seal(k, label, aad, text):
//	    salt32   = random
//	    prk      = Extract(salt32, k)
//	    commit32 = Expand(prk, label | "/commit", 32)
//	    result   = salt32 | commit32 | AES-256-GCM(key = Expand(prk, label | "/key", 32), nonce = 12 zero bytes, text,
//	               aad = part(label) | salt32 | commit32 | aad)
//
// An identity is a seed of 32 random bytes:
//
//	hpke        = X-Wing private key from Expand(seed, "lockbox/v1/identity/hpke", 32)
//	sign        = Ed25519 private key from Expand(seed, "lockbox/v1/identity/sign", 32)
//	public1249  = 0x01 | X-Wing public key (1216) | Ed25519 public key (32)
//	fingerprint = SHA-256("lockbox/v1/fingerprint" | public1249)
//	locked129   = 0x01 | salt16 | seal(Argon2id(passphrase, salt16, 65536 KiB, 3 passes, 1 lane, 32 bytes),
//	              "lockbox/v1/locked", part(installation) | part(user id) | part(fingerprint), seed)
//
// HPKE (RFC 9180) is used in base mode with the KEM MLKEM768-X25519 (0x647a, X-Wing), HKDF-SHA256 and AES-256-GCM.
//
//	key id16    = Expand(box key, "lockbox/v1/key-id", 16)
//	wrapped1168 = HPKE(recipient's public key, box key, info = part("lockbox/v1/wrap") | part(installation) |
//	              part(box id) | mode u8 | key id16 | recipient's fingerprint)
//	lines       = for each recipient, sorted by fingerprint: user id16 | fingerprint32 | SHA-256(wrapped)
//	head151     = part("lockbox/v1/keyring") | part(installation) | part(box id) | mode u8 | sequence u64 | key id16 |
//	              author's fingerprint32 | SHA-256(lines)
//	chain       = seal(box key, "lockbox/v1/chain", head, all earlier box keys, oldest first)
//	signature64 = Ed25519(author, part("lockbox/v1/keyring/signature") | head | chain)
//
// Only a holder of the box key can make a chain, so the chain authenticates the head. The head authenticates all
// recipients. The signature proves who the author is.
//
// # Written forms
//
// Each written form is a prefix, the bytes in canonical base64url without padding, and a checksum of 6 characters. The
// checksum is the beginning of the base64url of SHA-256(prefix without "_" | bytes).
//
//	lbid1_  the seed of an identity        55 characters in all
//	lbpk1_  a public key                 1678
//	lbk1_   a box key                      54, an encryption key as lockbox keygen prints it
//	lba1_   an anchor: box id | mode u8 | key id   55
//
// testdata/vectors.json holds test vectors. A test in JavaScript checks the vectors without using the code of this
// package.
package keys
