//! The classes of the data sets, chosen among the combinations that pretraining never shows.

use std::collections::BTreeMap;

use crate::background::Place;
use crate::colour::Colour;
use crate::pattern::Pattern;
use crate::random::stable_hash;
use crate::recipe::{Class, Recipe};
use crate::scene::{Subject, is_place_held_out, is_surface_held_out};
use crate::thing::Thing;
use crate::vocabulary::article;

pub(crate) fn objects() -> Vec<Class> {
    const LEFT_OUT: [Thing; 6] = [
        Thing::Balloon,
        Thing::Chair,
        Thing::Crown,
        Thing::Drop,
        Thing::Hexagon,
        Thing::Hat,
    ];
    Thing::ALL
        .iter()
        .filter(|thing| !LEFT_OUT.contains(thing))
        .map(|thing| Class {
            name: thing.word().into(),
            recipe: Recipe {
                thing: Some(*thing),
                ..Recipe::default()
            },
        })
        .collect()
}

pub(crate) fn surfaces() -> Vec<Class> {
    let mut candidates = Vec::new();
    for (colour, pattern) in pairs(Colour::ALL, Pattern::ALL) {
        if pattern != Pattern::Plain && is_surface_held_out(colour, pattern) {
            let class = Class {
                name: format!("{colour} {pattern} texture"),
                recipe: Recipe {
                    colour: Some(colour),
                    pattern: Some(pattern),
                    ..Recipe::default()
                },
            };
            let keys = vec![(pattern.to_string(), 2), (colour.to_string(), 3)];
            candidates.push((class, keys));
        }
    }
    choose("surfaces", candidates, 24)
}

pub(crate) fn fish() -> Vec<Class> {
    let mut bodies = Vec::new();
    for (colour, pattern) in pairs(Colour::ALL, Pattern::ALL) {
        let body = Subject {
            thing: Thing::Fish,
            colour,
            pattern,
            part_colour: None,
        };
        if body.is_held_out() {
            let class = Class {
                name: format!("{colour} {pattern} fish"),
                recipe: Recipe {
                    thing: Some(Thing::Fish),
                    colour: Some(colour),
                    pattern: Some(pattern),
                    ..Recipe::default()
                },
            };
            let keys = vec![(colour.to_string(), 2), (pattern.to_string(), 2)];
            bodies.push((class, keys));
        }
    }
    // Two of each body, so that the tail has to be looked at.
    let mut tails: BTreeMap<Colour, usize> = BTreeMap::new();
    let mut classes = Vec::new();
    for body in choose("finegrained", bodies, 12) {
        let mut colours: Vec<Colour> = Colour::ALL
            .iter()
            .copied()
            .filter(|tail| Some(*tail) != body.recipe.colour)
            .collect();
        // The least used ones first, so that all colours are used.
        colours.sort_by_cached_key(|tail| {
            let hash = stable_hash(&format!("{}|{tail}", body.name));
            (tails.get(tail).copied().unwrap_or(0), hash)
        });
        for tail in colours.into_iter().take(2) {
            *tails.entry(tail).or_default() += 1;
            classes.push(Class {
                name: format!("{} with {} {tail} tail", body.name, article(tail.word())),
                recipe: Recipe {
                    part_colour: Some(tail),
                    ..body.recipe
                },
            });
        }
    }
    classes
}

pub(crate) fn scenes() -> Vec<Class> {
    const THINGS: [Thing; 8] = [
        Thing::Bird,
        Thing::Car,
        Thing::Cat,
        Thing::Heart,
        Thing::House,
        Thing::Star,
        Thing::Tree,
        Thing::Umbrella,
    ];
    const PLACES: [Place; 7] = [
        Place::Grass,
        Place::Sea,
        Place::Sand,
        Place::Snow,
        Place::Bricks,
        Place::Space,
        Place::City,
    ];
    let mut candidates = Vec::new();
    for (thing, place) in pairs(&THINGS, &PLACES) {
        for (count, word) in [(1, ""), (2, "two "), (3, "three "), (4, "four ")] {
            if !is_place_held_out(thing, count, place) {
                continue;
            }
            let noun = if count == 1 {
                thing.word().into()
            } else {
                thing.plural()
            };
            let phrase = place.phrases().first().copied().unwrap_or_default();
            let class = Class {
                name: format!("{word}{noun} {phrase}"),
                recipe: Recipe {
                    thing: Some(thing),
                    place: Some((count, place)),
                    ..Recipe::default()
                },
            };
            let keys = vec![
                (place.to_string(), 4),
                (thing.to_string(), 4),
                (format!("{thing} {place}"), 2),
                (format!("count {count}"), 7),
            ];
            candidates.push((class, keys));
        }
    }
    choose("scenes", candidates, 24)
}

pub(crate) fn patterned_things() -> Vec<Class> {
    let candidates = pairs(Thing::ALL, Pattern::ALL)
        .filter(|(thing, pattern)| *pattern != Pattern::Plain && has_room_for_pattern(*thing))
        .filter(|(thing, pattern)| held_out_choices(pairs(Colour::ALL, &[*pattern]), *thing) >= 3)
        .map(|(thing, pattern)| {
            let class = Class {
                name: format!("{pattern} {thing}"),
                recipe: Recipe {
                    thing: Some(thing),
                    pattern: Some(pattern),
                    ..Recipe::default()
                },
            };
            let keys = vec![(pattern.to_string(), 3), (thing.to_string(), 2)];
            (class, keys)
        })
        .collect();
    choose("tuning", candidates, 24)
}

pub(crate) fn coloured_things() -> Vec<Class> {
    let candidates = pairs(Thing::ALL, Colour::ALL)
        .filter(|(thing, colour)| held_out_choices(pairs(&[*colour], Pattern::ALL), *thing) >= 3)
        .map(|(thing, colour)| {
            let class = Class {
                name: format!("{colour} {thing}"),
                recipe: Recipe {
                    thing: Some(thing),
                    colour: Some(colour),
                    ..Recipe::default()
                },
            };
            let keys = vec![(colour.to_string(), 3), (thing.to_string(), 2)];
            (class, keys)
        })
        .collect();
    choose("source", candidates, 30)
}

/// How many of these colours and patterns are held out for a thing.
fn held_out_choices(choices: impl Iterator<Item = (Colour, Pattern)>, thing: Thing) -> usize {
    choices
        .filter(|(colour, pattern)| {
            let subject = Subject {
                thing,
                colour: *colour,
                pattern: *pattern,
                part_colour: None,
            };
            subject.is_held_out()
        })
        .count()
}

/// Whether a thing has room for a pattern.
fn has_room_for_pattern(thing: Thing) -> bool {
    !matches!(
        thing,
        Thing::Bolt | Thing::Chair | Thing::Key | Thing::Moon | Thing::Ring | Thing::Rocket
    )
}

fn pairs<'a, A: Copy, B: Copy>(a: &'a [A], b: &'a [B]) -> impl Iterator<Item = (A, B)> + 'a {
    a.iter().flat_map(move |a| b.iter().map(move |b| (*a, *b)))
}

/// Up to `most` of the candidates, in an order that depends only on their names. A candidate has
/// keys, each with the number of chosen classes that may have it.
fn choose(
    set: &str,
    mut candidates: Vec<(Class, Vec<(String, usize)>)>,
    most: usize,
) -> Vec<Class> {
    candidates.sort_by_cached_key(|(class, _)| stable_hash(&format!("{set}|{}", class.name)));
    let mut used: BTreeMap<String, usize> = BTreeMap::new();
    let mut chosen = Vec::new();
    for (class, keys) in candidates {
        if chosen.len() == most {
            break;
        }
        let free = |(key, limit): &(String, usize)| used.get(key).is_none_or(|n| n < limit);
        if !keys.iter().all(free) {
            continue;
        }
        for (key, _) in keys {
            *used.entry(key).or_default() += 1;
        }
        chosen.push(class);
    }
    chosen
}
