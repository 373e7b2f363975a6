//! The learned tensors of a checkpoint, by their names and shapes, checked to belong together.

use std::collections::BTreeMap;

use super::form::Form;
use super::prompts::PromptsError;

/// The shapes of a file's tensors, by their names in a whole model.
pub(super) type Shapes<'a> = BTreeMap<String, &'a [usize]>;

const CTX: &str = "prompt_learner.ctx";

/// Names of the learned parameters of CoOp's, CoCoOp's and MaPLe's forms, in the order of an adapter.
/// Of the `tensors` of the file, those that are not learned are left out, such as KgCoOp's unused
/// `bias_vectors` and `meta_net`.
///
/// # Errors
/// [`PromptsError`] where one is missing, or the shapes do not fit each other.
pub(super) fn names(form: Form, tensors: &Shapes) -> Result<Vec<String>, PromptsError> {
    let found = Found { tensors };
    let ctx = *tensors.get(CTX).ok_or(PromptsError::None)?;
    let mut list = vec![CTX.to_string()];
    let (n_ctx, width) = match (form, ctx) {
        (_, &[n_ctx, width]) if n_ctx > 0 && width > 0 => (n_ctx, width),
        (Form::Context, &[classes, n_ctx, width]) if classes > 0 && n_ctx > 0 && width > 0 => {
            (n_ctx, width)
        }
        (Form::Context, _) => {
            return Err(wrong(
                CTX,
                ctx,
                "[tokens, width] or [classes, tokens, width]",
            ));
        }
        _ => return Err(wrong(CTX, ctx, "[tokens, width]")),
    };
    match form {
        Form::LayerPrompts | Form::Context => {}
        Form::ConditionedContext => {
            let net = |layer: &str| format!("prompt_learner.meta_net.{layer}");
            let hidden = found.linear(&net("linear1"), None, None, &mut list)?;
            found.linear(&net("linear2"), Some(hidden), Some(width), &mut list)?;
        }
        Form::ProjectedPrompts => {
            let proj = "prompt_learner.proj";
            let visual = found.linear(proj, Some(width), None, &mut list)?;
            for layer in 0..found.layers() {
                let name = format!("prompt_learner.compound_prompts_text.{layer}");
                found.exactly(&name, &[n_ctx, width], &mut list)?;
                let name = format!("prompt_learner.compound_prompt_projections.{layer}");
                found.linear(&name, Some(width), Some(visual), &mut list)?;
            }
        }
    }
    Ok(list)
}

fn wrong(name: &str, found: &[usize], expected: &str) -> PromptsError {
    PromptsError::Shape {
        name: name.to_string(),
        found: found.to_vec(),
        expected: expected.to_string(),
    }
}

struct Found<'a> {
    tensors: &'a Shapes<'a>,
}

impl<'a> Found<'a> {
    fn get(&self, name: &str) -> Result<&'a [usize], PromptsError> {
        let found = self.tensors.get(name).copied();
        found.ok_or_else(|| PromptsError::Missing {
            name: name.to_string(),
        })
    }

    /// How many layers after the first have a prompt or a projection, if none is missing.
    fn layers(&self) -> usize {
        let prompts = ["compound_prompts_text.", "compound_prompt_projections."];
        let layers = self.tensors.keys().filter_map(|name| {
            let below = name.strip_prefix("prompt_learner.")?;
            let rest = prompts.iter().find_map(|p| below.strip_prefix(p))?;
            rest.split('.').next()?.parse::<usize>().ok()
        });
        layers.max().map_or(0, |last| last.saturating_add(1))
    }

    fn exactly(
        &self,
        name: &str,
        expected: &[usize],
        list: &mut Vec<String>,
    ) -> Result<(), PromptsError> {
        match self.get(name)? {
            found if found == expected => {
                list.push(name.to_string());
                Ok(())
            }
            found => Err(wrong(name, found, &format!("{expected:?}"))),
        }
    }

    /// A linear layer, `[outputs, inputs]` with a bias `[outputs]`; its number of outputs.
    fn linear(
        &self,
        name: &str,
        inputs: Option<usize>,
        outputs: Option<usize>,
        list: &mut Vec<String>,
    ) -> Result<usize, PromptsError> {
        let (weight, bias) = (format!("{name}.weight"), format!("{name}.bias"));
        let shape = self.get(&weight)?;
        let fits = |expected: Option<usize>, found: usize| {
            found > 0 && expected.is_none_or(|expected| expected == found)
        };
        let &[rows, columns] = shape else {
            return Err(wrong(&weight, shape, "[outputs, inputs]"));
        };
        if !fits(outputs, rows) || !fits(inputs, columns) {
            let text = |extent: Option<usize>, name: &str| {
                extent.map_or(name.to_string(), |extent| extent.to_string())
            };
            let expected = [text(outputs, "outputs"), text(inputs, "inputs")].join(", ");
            return Err(wrong(&weight, shape, &format!("[{expected}]")));
        }
        list.push(weight);
        self.exactly(&bias, &[rows], list)?;
        Ok(rows)
    }
}
