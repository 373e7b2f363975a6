//! The token embeddings of the text tower.

use std::fmt;
use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};

use crate::rows::indices;
use crate::weights::Compact;

/// The rows `[vocab_size, width]` that tokens become.
#[derive(Clone)]
pub(crate) enum TokenEmbedding {
    /// On the device, where they may be learned.
    Tensor(Tensor<2>),
    /// On the host, from which the few rows that texts need are brought to the device.
    Table {
        numbers: Arc<Compact>,
        width: usize,
        device: Device,
    },
}

impl TokenEmbedding {
    /// The rows `[ids, width]` of some tokens.
    ///
    /// # Panics
    /// If an id is outside the vocabulary.
    pub fn rows(&self, ids: &[u32]) -> Tensor<2> {
        let ids = ids.iter().map(|id| *id as usize);
        match self {
            Self::Tensor(tensor) => {
                let ids: Vec<usize> = ids.collect();
                tensor.clone().select(0, indices(&ids, &tensor.device())) // [ids, width]
            }
            Self::Table {
                numbers,
                width,
                device,
            } => {
                let mut rows = vec![0.0; ids.len() * width];
                let shape = [ids.len(), *width];
                for (id, row) in ids.zip(rows.chunks_exact_mut(*width)) {
                    numbers.copy(id * width, row);
                }
                Tensor::from_data(TensorData::new(rows, shape), device) // [ids, width]
            }
        }
    }
}

impl fmt::Debug for TokenEmbedding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenEmbedding").finish_non_exhaustive()
    }
}
