//! The prompts of towers' layers in a checkpoint's state dictionary, checked to belong together.

use promptsrc::methods::layer_prompts::{Tower, parse_prompt_name, prompt_name};
use promptsrc::{Parameter, ParameterError, Parameters};

/// Prompts that do not belong together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PromptsError {
    /// There are none.
    #[error("there are no prompts (no tensor named prompt_learner.ctx)")]
    None,
    /// Their values cannot be used.
    #[error(transparent)]
    Values(#[from] ParameterError),
    /// One that belongs to the others is not there.
    #[error("the tensor {name} is missing")]
    Missing {
        /// The name of the missing tensor.
        name: String,
    },
    /// One does not have the shape that it should have, by itself or beside the others.
    #[error("the tensor {name} has shape {found:?}, expected {expected}")]
    Shape {
        /// Its name.
        name: String,
        /// Its shape.
        found: Vec<usize>,
        /// The shape that it should have.
        expected: String,
    },
}

/// Tokens and layers of a tower's prompts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    pub n_ctx: usize,
    pub depth: usize,
}

/// Sorts prompts, `[n_ctx, width]` each, by tower (text first) and layer.
///
/// # Errors
/// [`PromptsError`].
pub(super) fn sorted(prompts: Vec<Parameter>) -> Result<Parameters, PromptsError> {
    let mut found: Vec<((Tower, usize), Parameter)> = Vec::new();
    for prompt in prompts {
        let shape = |prompt: Parameter| PromptsError::Shape {
            name: prompt.name,
            found: prompt.shape,
            expected: "[tokens, width]".to_string(),
        };
        let empty = prompt.values.is_empty();
        match (parse_prompt_name(&prompt.name), prompt.shape.len()) {
            (Some(place), 2) if !empty => found.push((place, prompt)),
            _ => return Err(shape(prompt)),
        }
    }
    found.sort_by_key(|((tower, layer), _)| (*tower == Tower::Vision, *layer));
    if !found.iter().any(|((tower, _), _)| *tower == Tower::Text) {
        return Err(PromptsError::None);
    }
    for tower in [Tower::Text, Tower::Vision] {
        let of_tower = found.iter().filter(|((of, _), _)| *of == tower);
        let mut first: Option<&Parameter> = None;
        for (expected, ((_, layer), prompt)) in of_tower.enumerate() {
            if *layer != expected {
                return Err(PromptsError::Missing {
                    name: prompt_name(tower, expected),
                });
            }
            let first = *first.get_or_insert(prompt);
            if prompt.shape != first.shape {
                return Err(PromptsError::Shape {
                    name: prompt.name.clone(),
                    found: prompt.shape.clone(),
                    expected: format!("{:?}", first.shape),
                });
            }
        }
    }
    let list = found.into_iter().map(|(_, prompt)| prompt).collect();
    // There is at least one; values fill their shapes, because they were read by them.
    Ok(Parameters::new(list)?)
}

/// How many tokens and layers a tower's prompts have.
pub(super) fn extent(prompts: &Parameters, tower: Tower) -> Extent {
    let of_tower = |p: &&Parameter| parse_prompt_name(&p.name).is_some_and(|(of, _)| of == tower);
    Extent {
        n_ctx: prompts
            .iter()
            .find(of_tower)
            .and_then(|p| p.shape.first().copied())
            .unwrap_or(0),
        depth: prompts.iter().filter(of_tower).count(),
    }
}
