//! The grammar of captions: what a person might write under a scene.
//!
//! A caption names some of what can be said, seldom all. Often it names one thing alone, a shape, a
//! colour, a pattern or a place, because words that only ever come together are not learned apart.

use crate::background::{Background, Place};
use crate::colour::Colour;
use crate::pattern::Pattern;
use crate::random::Random;
use crate::scene::{Content, Position, Scene, Size, Subject};
use crate::style::Style;
use crate::vocabulary;

/// A caption of a scene, in lower case and with a full stop.
pub(crate) fn caption(scene: &Scene, random: &mut Random) -> String {
    let phrase = match scene.content {
        Content::Surface { colour, pattern } => surface(scene, colour, pattern, random),
        Content::Things {
            subject,
            count,
            size,
            position,
        } => match (random.below(100), scene.background) {
            (0..6, Background::Place(place)) => Phrase::whole(noun(place)),
            _ => {
                let mentions = Mentions::choose(random);
                if let Some(sentence) = sized(scene, &subject, count, size, mentions, random) {
                    return sentence;
                }
                things(scene, &subject, count, size, position, mentions, random)
            }
        },
        Content::Pair {
            first,
            second,
            position,
        } => pair(scene, &first, &second, position, random),
    };
    let template = match random.below(100) {
        0..62 => random.pick(scene.style.templates()),
        62..80 => random.pick(&["a photo of {a}.", "a photo of {a}.", "a photo of {the}."]),
        80..90 => "{a}.",
        _ => random.pick(&["there is {a}.", "this is {a}.", "we see {a}.", "look, {a}."]),
    };
    phrase.put_into(template, random)
}

/// A phrase that templates can take.
struct Phrase {
    /// Without article.
    bare: String,
    /// Whether "a" can come before it.
    single: bool,
    /// Whether it brings its own article, or needs none.
    complete: bool,
}

impl Phrase {
    fn whole(text: &str) -> Self {
        Self {
            bare: text.into(),
            single: true,
            complete: true,
        }
    }

    fn put_into(&self, template: &str, random: &mut Random) -> String {
        let bare = &self.bare;
        if self.complete {
            // "a cartoon a forest" will not do.
            let template = if template.contains("{}") {
                "a photo of {a}."
            } else {
                template
            };
            return template.replace("{a}", bare).replace("{the}", bare);
        }
        // Nor will "a photo of my several cups", except at times: see below.
        let template = if !self.single && template.contains("{}") && random.chance(75) {
            "a photo of {a}."
        } else {
            template
        };
        let with_article = if !self.single {
            // Templates put "a" before any class name; captions do so too at times.
            if random.chance(12) {
                format!("a {bare}")
            } else {
                bare.clone()
            }
        } else {
            format!("{} {bare}", article(bare, random))
        };
        template
            .replace("{a}", &with_article)
            .replace("{the}", &format!("the {bare}"))
            .replace("{}", bare)
    }
}

/// "a" or "an". Templates write "a" before any class name, so captions do too at times.
fn article(word: &str, random: &mut Random) -> &'static str {
    match vocabulary::article(word) {
        "an" if random.chance(65) => "an",
        _ => "a",
    }
}

/// What a caption mentions of a subject.
#[derive(Clone, Copy)]
struct Mentions {
    thing: bool,
    colour: bool,
    pattern: bool,
    part: bool,
    surroundings: bool,
}

impl Mentions {
    fn choose(random: &mut Random) -> Self {
        let nothing = Self {
            thing: false,
            colour: false,
            pattern: false,
            part: false,
            surroundings: false,
        };
        match random.below(100) {
            0..40 => Self {
                thing: true,
                ..nothing
            },
            40..46 => Self {
                colour: true,
                ..nothing
            },
            46..52 => Self {
                pattern: true,
                ..nothing
            },
            52..60 => Self {
                thing: true,
                surroundings: true,
                ..nothing
            },
            _ => Self {
                thing: random.chance(94),
                colour: random.chance(66),
                pattern: random.chance(58),
                part: random.chance(45),
                surroundings: random.chance(45),
            },
        }
    }
}

/// The words of a subject, without article.
fn describe(
    style: Style,
    subject: &Subject,
    count: usize,
    size: Option<Size>,
    mentions: Mentions,
    random: &mut Random,
) -> String {
    let colour = (mentions.colour && style.shows_colour()).then_some(subject.colour);
    let pattern = (mentions.pattern && (subject.pattern != Pattern::Plain || random.chance(25)))
        .then_some(subject.pattern);
    let noun = match (mentions.thing, count) {
        (true, 0..=1) => subject.thing.word().to_string(),
        (true, _) => subject.thing.plural(),
        (false, 0..=1) => random.pick(&["thing", "object", "shape"]).into(),
        (false, _) => random.pick(&["things", "objects", "shapes"]).into(),
    };
    let mut words: Vec<String> = Vec::new();
    if let Some(number) = number(count, random) {
        words.push(number.into());
    }
    if let Some(size) = size {
        words.push(size.word().into());
    }
    // "of one colour" would raise the question of which.
    let behind = pattern.is_some_and(|p| p != Pattern::Plain) && random.chance(30);
    let mut adjectives: Vec<&str> = colour.map(Colour::word).into_iter().collect();
    if let (Some(pattern), false) = (pattern, behind) {
        adjectives.push(pattern.word());
    }
    if random.chance(25) {
        adjectives.reverse();
    }
    words.extend(adjectives.into_iter().map(String::from));
    words.push(noun);
    if let (Some(pattern), true) = (pattern, behind) {
        words.push(pattern.phrase().into());
    }
    if let (true, true, Some(part)) = (mentions.part, mentions.thing, subject.thing.part())
        && style.shows_colour()
    {
        // The natural colour of a part is seldom worth a word.
        let colour = subject
            .part_colour
            .or(random.chance(15).then_some(part.natural));
        if let Some(colour) = colour {
            let joint = if behind { "and" } else { "with" };
            let several = count > 1 || part.word.ends_with('s');
            words.push(if several {
                format!("{joint} {colour} {}", plural_part(part.word, count))
            } else {
                format!(
                    "{joint} {} {colour} {}",
                    article(colour.word(), random),
                    part.word
                )
            });
        }
    }
    words.join(" ")
}

fn plural_part(word: &str, count: usize) -> String {
    match word {
        _ if count <= 1 || word.ends_with('s') => word.into(),
        "leaf" => "leaves".into(),
        "body" => "bodies".into(),
        _ => format!("{word}s"),
    }
}

fn number(count: usize, random: &mut Random) -> Option<&'static str> {
    let exact = match count {
        0 | 1 => return None,
        2 => "two",
        3 => "three",
        4 => "four",
        _ => "five",
    };
    Some(if random.chance(92) {
        exact
    } else {
        random.pick(&["some", "several", "many"])
    })
}

/// Where the things are and what is behind them.
fn surroundings(
    scene: &Scene,
    position: Option<Position>,
    mentions: Mentions,
    random: &mut Random,
) -> String {
    let mut text = String::new();
    if let Some(position) = position
        && random.chance(9)
    {
        text = format!(" {position}");
    }
    if !mentions.surroundings {
        return text;
    }
    match scene.background {
        Background::Place(place) => {
            let phrases = place.phrases();
            let usual = phrases.first().copied().unwrap_or_default();
            let phrase = if random.chance(65) {
                usual
            } else {
                random.pick(phrases)
            };
            text = format!("{text} {phrase}");
        }
        Background::Wall(colour) if scene.style.shows_colour() && random.chance(60) => {
            let wall = random.pick(&["in front of a", "against a"]);
            text = if random.chance(50) {
                format!("{text} {wall} {colour} wall")
            } else {
                format!("{text} on a {colour} background")
            };
        }
        _ => {}
    }
    text
}

fn things(
    scene: &Scene,
    subject: &Subject,
    count: usize,
    size: Size,
    position: Position,
    mentions: Mentions,
    random: &mut Random,
) -> Phrase {
    let size = (count == 1 && size != Size::Medium && random.chance(28)).then_some(size);
    let words = describe(scene.style, subject, count, size, mentions, random);
    let position = (count == 1).then_some(position);
    Phrase {
        bare: words + &surroundings(scene, position, mentions, random),
        single: count <= 1,
        complete: false,
    }
}

/// Sometimes, a sentence that only fits certain sizes or numbers.
fn sized(
    scene: &Scene,
    subject: &Subject,
    count: usize,
    size: Size,
    mentions: Mentions,
    random: &mut Random,
) -> Option<String> {
    if !random.chance(16) {
        return None;
    }
    let several = count > 1;
    let templates: &[&str] = match size {
        _ if several => &["a photo of many {}.", "a picture of many {}."],
        Size::Tiny => &[
            "a photo of the hard to see {}.",
            "a photo of a hard to see {}.",
            "a photo of the small {}.",
        ],
        Size::Small => &["a photo of the small {}.", "a photo of a small {}."],
        Size::Medium => return None,
        Size::Large => &["a photo of a large {}.", "a photo of the large {}."],
        Size::Huge => &[
            "a close-up photo of a {}.",
            "a close-up photo of the {}.",
            "a cropped photo of a {}.",
            "a cropped photo of the {}.",
            "a photo of the large {}.",
        ],
    };
    let template = random.pick(templates);
    // The template already has a word for the number.
    let words = if several {
        let mut all = describe(scene.style, subject, count, None, mentions, random);
        if let Some(space) = all.find(' ') {
            all.drain(..=space);
        }
        all
    } else {
        describe(scene.style, subject, 1, None, mentions, random)
    };
    Some(template.replace("{}", &words))
}

fn pair(
    scene: &Scene,
    first: &Subject,
    second: &Subject,
    position: Position,
    random: &mut Random,
) -> Phrase {
    let relation = match position {
        Position::Middle => "and",
        Position::Left => random.pick(&["left of", "next to", "beside", "and"]),
        Position::Right => random.pick(&["right of", "next to", "beside", "and"]),
        Position::Top => random.pick(&["above", "over", "above", "and"]),
        Position::Bottom => random.pick(&["below", "under", "below", "and"]),
    };
    let mentions = |random: &mut Random| Mentions {
        thing: true,
        part: random.chance(15),
        ..Mentions::choose(random)
    };
    let (one, other) = (mentions(random), mentions(random));
    let head = describe(scene.style, first, 1, None, one, random);
    let tail = describe(scene.style, second, 1, None, other, random);
    let surroundings = surroundings(scene, None, one, random);
    Phrase {
        bare: format!(
            "{head} {relation} {} {tail}{surroundings}",
            article(&tail, random)
        ),
        single: true,
        complete: false,
    }
}

fn surface(scene: &Scene, colour: Colour, pattern: Pattern, random: &mut Random) -> Phrase {
    let noun = random.pick(&["texture", "texture", "surface", "pattern", "cloth"]);
    let colour = colour.word();
    let adjective = pattern.word();
    let phrase = pattern.phrase();
    let bare = match random.below(100) {
        0..26 => format!("{adjective} {noun}"),
        26..32 => format!("{noun} {phrase}"),
        32..46 if scene.style.shows_colour() => format!("{colour} {noun}"),
        _ if !scene.style.shows_colour() => format!("{adjective} {noun}"),
        46..76 => format!("{colour} {adjective} {noun}"),
        76..88 => format!("{adjective} {colour} {noun}"),
        _ => format!("{colour} {noun} {phrase}"),
    };
    Phrase {
        bare,
        single: true,
        complete: false,
    }
}

fn noun(place: Place) -> &'static str {
    match place {
        Place::Grass => "grass",
        Place::Sky => "the sky",
        Place::Sea => "the sea",
        Place::Sand => "sand",
        Place::Snow => "snow",
        Place::Bricks => "a brick wall",
        Place::Wood => "a wooden table",
        Place::Space => "space",
        Place::Forest => "a forest",
        Place::City => "a city",
        Place::Mountains => "mountains",
        Place::Tiles => "a tiled floor",
    }
}
