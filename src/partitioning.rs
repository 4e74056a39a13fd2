//! Which partition and which bucket a customer belongs to: the same answer as nats-server's `partition()`
//! transform gives when it stores the event, so that both sides agree without asking.

/// Buckets that a customer's events are filed under, whatever the number of partitions.
pub const BUCKETS: u16 = 4096;

/// The most partitions that a deployment may have.
pub const PARTITIONS_MAX: u16 = 4096;

/// Partitions of a deployment that does not say otherwise.
pub const PARTITIONS_DEFAULT: u16 = 16;

/// FNV-1a, 32 bits: the hash in nats-server's `partition(n, …)` subject transform.
pub fn fnv1a_32(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    })
}

/// The partition, 0 to `partitions` − 1, of a customer token (the id as it stands in a subject, with
/// reserved bytes percent-encoded).
///
/// `partitions` is at least 1; 0 is taken as 1.
pub fn partition_of(token: &str, partitions: u16) -> u16 {
    let partition = fnv1a_32(token.as_bytes()) % u32::from(partitions.max(1));
    u16::try_from(partition).expect("invariant: a remainder is less than its u16 divisor")
}

/// The bucket, 0 to 4,095, of a customer token.
pub fn bucket_of(token: &str) -> u16 {
    partition_of(token, BUCKETS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_fnv_1a_of_32_bits() {
        assert_eq!(fnv1a_32(b""), 0x811c_9dc5);
        assert_eq!(fnv1a_32(b"a"), 0xe40c_292c);
        assert_eq!(fnv1a_32(b"foobar"), 0xbf9c_f968);
    }

    #[test]
    fn partitions_and_buckets_stay_within_their_number() {
        for customer in 0..10_000 {
            let token = format!("C{customer}");
            assert!(partition_of(&token, 16) < 16);
            assert!(bucket_of(&token) < BUCKETS);
            assert_eq!(partition_of(&token, 1), 0);
            // Both are powers of two, so a bucket lies in one partition as a whole.
            assert_eq!(bucket_of(&token) % 16, partition_of(&token, 16));
        }
    }
}
