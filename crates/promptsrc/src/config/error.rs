//! Errors of a training configuration.

use crate::parameters::ParameterError;

/// A configuration that cannot be trained.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ConfigError {
    /// A count that must be at least one.
    #[error("{option} is 0; it must be at least 1")]
    Zero {
        /// The option.
        option: &'static str,
    },
    /// A count that is too large.
    #[error("{option} is {value}; it must be at most {most}")]
    TooMany {
        /// The option.
        option: &'static str,
        /// Its value.
        value: usize,
        /// The largest accepted value.
        most: usize,
    },
    /// A number outside its accepted range.
    #[error("{option} is {value}; it must lie between {low} and {high}")]
    OutOfRange {
        /// The option.
        option: &'static str,
        /// Its value.
        value: f64,
        /// The smallest accepted value.
        low: f64,
        /// The largest accepted value.
        high: f64,
    },
    /// Nesterov momentum without momentum or with dampening, which PyTorch rejects too.
    #[error("nesterov needs a momentum above 0 and a dampening of 0")]
    Nesterov,
    /// A comparison with the frozen text feature, but no template for it.
    #[error("the method needs at least one template for the frozen text feature")]
    NoTemplates,
    /// A template without `{}` for the class name.
    #[error("the template {template:?} has no {{}} for the class name")]
    Template {
        /// The template.
        template: String,
    },
    /// All Gaussian weights of the aggregation are zero.
    #[error(
        "the aggregation N({mean}, {std}) gives weight 0 to all {epochs} epochs: choose a mean \
         between 1 and {epochs}, or a larger standard deviation"
    )]
    NoWeight {
        /// Mean of the aggregation.
        mean: f64,
        /// Its standard deviation.
        std: f64,
        /// Epochs of the run.
        epochs: usize,
    },
    /// More context tokens than the text tower has positions.
    #[error(
        "{n_ctx} context tokens are too many: this CLIP has {room} positions for the context tokens \
         and the class name"
    )]
    ContextTooLong {
        /// Requested context tokens.
        n_ctx: usize,
        /// Positions between the start and the end token.
        room: usize,
    },
    /// The initial words have too few tokens for the context.
    #[error(
        "the text context has {n_ctx} tokens, but its initial words {words:?} have only {tokens}: \
         use fewer context tokens or more words"
    )]
    FewWords {
        /// Requested context tokens.
        n_ctx: usize,
        /// The words.
        words: String,
        /// Number of tokens in the words.
        tokens: usize,
    },
    /// The initial words contain a token that is not in the vocabulary of this CLIP.
    #[error(
        "the initial words {words:?} of the context contain token {id}, but the vocabulary of \
         this CLIP has {vocab_size} tokens"
    )]
    Vocabulary {
        /// The words.
        words: String,
        /// Id of the token.
        id: u32,
        /// Size of the vocabulary.
        vocab_size: usize,
    },
    /// The initial words cannot be tokenised.
    #[error("the initial words of the context cannot be tokenised: {0}")]
    Words(#[from] promptsrc_clip::TokenizeError),
    /// There is no method with this name.
    #[error("unknown method {name:?}: expected one of {known}")]
    UnknownMethod {
        /// The name.
        name: String,
        /// Names of all methods.
        known: String,
    },
    /// A method that learns nothing.
    #[error("the method {method} learns nothing and cannot be trained")]
    NothingToTrain {
        /// The method.
        method: String,
    },
    /// A method that learns no prompts, where one is needed.
    #[error("the method {method} learns no prompts, but a head on image features")]
    NoPrompts {
        /// The method.
        method: String,
    },
    /// A setting that the method does not have.
    #[error("{option}: the method {method} does not have this setting")]
    NoSuchSetting {
        /// The option.
        option: &'static str,
        /// The method.
        method: String,
    },
    /// Only the mean or only the standard deviation of an aggregation that is disabled.
    #[error(
        "{option}: this configuration does not aggregate prompts; give both gpa-mean and gpa-std \
         to enable it"
    )]
    NoAggregation {
        /// The option.
        option: &'static str,
    },
    /// Only some of the loss weights of self-regulations that are disabled.
    #[error(
        "{option}: this configuration has no self-regulations; give all three loss weights to \
         enable them"
    )]
    NoRegularisation {
        /// The option.
        option: &'static str,
    },
    /// Initial words for a context that is too long to be initialised with them.
    #[error(
        "ctx-init: a context of {n_ctx} tokens is initialised at random, not with words (the \
         method does this for more than {most} tokens): give fewer context tokens, or no words"
    )]
    WordsUnused {
        /// Context tokens.
        n_ctx: usize,
        /// Length of the longest context that is initialised with words.
        most: usize,
    },
    /// The number of initial words differs from the requested number of context tokens.
    #[error(
        "text-context is {n_ctx}, but ctx-init has {words} words, and the number of words is the \
         number of context tokens: leave out one of the two"
    )]
    WordCount {
        /// Context tokens.
        n_ctx: usize,
        /// Words.
        words: usize,
    },
    /// A context for each class that would be initialised with words.
    #[error(
        "class-specific: a context of each class is initialised at random, not with words: leave out \
         one of class-specific and ctx-init"
    )]
    WordsForEachClass,
    /// More initial words than context tokens.
    #[error(
        "text-context is {n_ctx}, but the words that initialise it, {words:?}, are {count}: give at \
         least as many tokens, or other words"
    )]
    MoreWords {
        /// Context tokens.
        n_ctx: usize,
        /// The words.
        words: String,
        /// Their number.
        count: usize,
    },
    /// A configuration without a part that its method consists of.
    #[error("the configuration of the method {method} lacks {part}")]
    Lacks {
        /// The method.
        method: String,
        /// The part.
        part: &'static str,
    },
    /// A record that names one method but contains the configuration of another.
    #[error("it names the method {named}, but its configuration is for {configured}")]
    TwoMethods {
        /// The method that it names.
        named: String,
        /// The method of its configuration.
        configured: String,
    },
    /// The initial parameters are invalid.
    #[error(transparent)]
    Parameters(#[from] ParameterError),
}
