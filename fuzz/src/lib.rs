//! What the fuzz targets assert. Each function takes any bytes and panics only when auditship is wrong.

mod block;
mod chunk;

pub use block::block;
pub use chunk::chunk;
