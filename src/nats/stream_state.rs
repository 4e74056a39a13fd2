//! Asks for a stream's state.

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::stream::Info as StreamInfo;

use super::connect::Connection;

/// Why a stream's state, or a message of it, is not known.
pub(super) enum InfoError {
    Missing,
    Other(String),
}

/// Asks for a stream's state.
pub(super) async fn stream_info(
    connection: &Connection,
    stream: &str,
) -> Result<StreamInfo, InfoError> {
    use async_nats::jetstream::context::GetStreamErrorKind;
    match connection.jetstream().get_stream(stream).await {
        Ok(stream) => Ok(stream.cached_info().clone()),
        Err(error) => match error.kind() {
            GetStreamErrorKind::JetStream(cause)
                if cause.error_code() == ErrorCode::STREAM_NOT_FOUND =>
            {
                Err(InfoError::Missing)
            }
            _ => Err(InfoError::Other(error.to_string())),
        },
    }
}
