//! Stub.
use super::{Customer, Names};
use crate::partitioning::CustomerId;
/// Version of the bytes.
pub const CODEC_VERSION: u16 = 1;
/// Stub.
#[derive(Debug, Default)]
pub struct CustomerEncoder {}
impl CustomerEncoder {
    /// Stub.
    pub fn new() -> Self {
        Self {}
    }
    /// Stub.
    pub fn encode(
        &mut self,
        id: &CustomerId,
        _customer: &Customer,
        _names: &Names,
        out: &mut Vec<u8>,
    ) {
        out.extend_from_slice(id.as_str().as_bytes());
    }
}
/// Stub.
#[derive(Debug, Default)]
pub struct CustomerDecoder {}
/// Stub.
#[derive(Debug, thiserror::Error)]
#[error("stub")]
pub struct CodecError;
impl CustomerDecoder {
    /// Stub.
    pub fn new() -> Self {
        Self {}
    }
    /// Stub.
    pub fn decode(
        &mut self,
        _input: &mut &[u8],
        _names: &Names,
    ) -> Result<Option<(CustomerId, Customer)>, CodecError> {
        Ok(None)
    }
}
