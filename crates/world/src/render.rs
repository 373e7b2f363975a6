//! Draws a scene: background, clutter, things with shadows, then the style.

use promptsrc_image::Image;

use crate::arithmetic::{cosine, fract, sine};
use crate::canvas::Canvas;
use crate::colour::{BLACK, Colour, Rgb, WHITE, blend, luminance, scale};
use crate::finish::finish;
use crate::layers::{Role, layers};
use crate::light::illuminate;
use crate::pattern::Pattern;
use crate::random::Random;
use crate::scene::{Content, Position, Scene, Size, Subject};
use crate::shape::{Outline, Shape};
use crate::style::Style;
use crate::surface::{Surface, vary};

/// The paper that sketches are on.
const PAPER: Rgb = [0.96, 0.95, 0.92];

/// Draws a scene as `side` x `side` pixels; sides below 16 become 16, above 1024 they become 1024.
///
/// The bytes depend on the scene and the side, not on machine, build or threads.
pub fn draw(scene: &Scene, side: u32) -> Image {
    let side = side.clamp(16, 1024) as usize;
    let mut painter = Painter {
        scene,
        random: Random::new(scene.seed, 1, 0),
        canvas: Canvas::new(side),
        shapes: Vec::new(),
    };
    painter.paint();
    let mut random = Random::new(scene.seed, 2, 0);
    finish(&mut painter.canvas, scene.style, &mut random);
    illuminate(&mut painter.canvas, scene.light, scene.light_percent);
    painter.canvas.into_image()
}

struct Painter<'a> {
    scene: &'a Scene,
    random: Random,
    canvas: Canvas,
    /// Masks, reused from thing to thing.
    shapes: Vec<Shape>,
}

/// Where a thing is, in pixels.
#[derive(Clone, Copy)]
struct Spot {
    x: f32,
    y: f32,
    radius: f32,
    /// Cosine and sine of its angle.
    turn: (f32, f32),
    /// Factors of its width (negative where it is mirrored) and height.
    stretch: (f32, f32),
}

impl Spot {
    /// The place in the image of a point of an outline.
    fn place(&self, [x, y]: [f32; 2]) -> [f32; 2] {
        let (x, y) = (x * self.stretch.0, y * self.stretch.1);
        let (c, s) = self.turn;
        [
            self.x + self.radius * (c * x - s * y),
            self.y + self.radius * (s * x + c * y),
        ]
    }

    /// The middle of a pixel, relative to the thing: turned back, in pixels.
    fn within(&self, x: usize, y: usize) -> (f32, f32) {
        let (dx, dy) = (x as f32 + 0.5 - self.x, y as f32 + 0.5 - self.y);
        let (c, s) = self.turn;
        (c * dx + s * dy, c * dy - s * dx)
    }
}

impl Painter<'_> {
    fn paint(&mut self) {
        if let Content::Surface { colour, pattern } = self.scene.content {
            return self.paint_surface(colour, pattern);
        }
        self.paint_background();
        self.paint_clutter();
        match self.scene.content {
            Content::Surface { .. } => {}
            Content::Things {
                subject,
                count,
                size,
                position,
            } => {
                let spots = if count <= 1 {
                    vec![self.single(subject, size, position)]
                } else {
                    self.several(subject, size, count)
                };
                self.paint_things(subject, &spots);
            }
            Content::Pair {
                first,
                second,
                position,
            } => {
                let (one, other) = self.beside(first, second, position);
                self.paint_things(first, &[one]);
                self.paint_things(second, &[other]);
            }
        }
    }

    fn side(&self) -> f32 {
        self.canvas.side as f32
    }

    fn paint_surface(&mut self, colour: Colour, pattern: Pattern) {
        let period = self.side() * self.random.between(0.13, 0.24);
        let surface = Surface::new(colour, pattern, period, &mut self.random);
        // Rings have a middle; it is in the image.
        let (mx, my) = (
            self.side() * self.random.between(0.3, 0.7),
            self.side() * self.random.between(0.3, 0.7),
        );
        let sketch = self.scene.style == Style::Sketch;
        self.canvas.paint(|x, y, _| {
            let colour = surface.at(x as f32 + 0.5 - mx, y as f32 + 0.5 - my);
            if sketch { pencil(colour, x, y) } else { colour }
        });
    }

    fn paint_background(&mut self) {
        let seed = self.random.bits() as u32;
        let pixel = 1.0 / self.side();
        let (background, style) = (self.scene.background, self.scene.style);
        self.canvas.paint(|x, y, _| {
            let (x, y) = ((x as f32 + 0.5) * pixel, (y as f32 + 0.5) * pixel);
            let colour = background.rgb(x, y, pixel, seed);
            match style {
                Style::Sketch => {
                    let shade = luminance(colour);
                    blend(PAPER, blend([shade; 3], colour, 0.4), 0.28)
                }
                _ => colour,
            }
        });
    }

    /// Pebbles, scraps and the like: small shapes without a word.
    fn paint_clutter(&mut self) {
        if !self.random.chance(30) {
            return;
        }
        let side = self.side();
        for _ in 0..1 + self.random.below(4) {
            let (x, y) = (side * self.random.unit(), side * self.random.unit());
            let corners = 5 + self.random.below(3);
            let size = side * self.random.between(0.03, 0.075);
            let polygon = (0..corners)
                .map(|i| {
                    let turns = i as f32 / corners as f32;
                    let r = size * self.random.between(0.55, 1.0);
                    [x + r * cosine(turns), y + r * sine(turns)]
                })
                .collect();
            let colour = blend(self.random.pick(Colour::ALL).rgb(), [0.5, 0.48, 0.45], 0.6);
            let sketch = self.scene.style == Style::Sketch;
            let mut shape = self
                .shapes
                .pop()
                .unwrap_or_else(|| Shape::new(self.canvas.side));
            shape.fill(&Outline::new([&polygon], |p| p));
            self.canvas.paint_masked(
                &shape,
                |x, y| {
                    if sketch { pencil(colour, x, y) } else { colour }
                },
            );
            self.shapes.push(shape);
        }
    }

    /// A spot of that radius, turned and stretched at random.
    fn spot(&mut self, subject: Subject, x: f32, y: f32, radius: f32) -> Spot {
        let most = if subject.thing.has_upper_side() {
            0.035
        } else {
            0.09
        };
        let angle = self.random.between(-most, most);
        let width = self.random.between(0.9, 1.08);
        let mirrored = self.random.chance(50);
        Spot {
            x,
            y,
            radius,
            turn: (cosine(angle), sine(angle)),
            stretch: (
                if mirrored { -width } else { width },
                self.random.between(0.92, 1.06),
            ),
        }
    }

    fn single(&mut self, subject: Subject, size: Size, position: Position) -> Spot {
        let side = self.side();
        let radius = side
            * match size {
                Size::Tiny => self.random.between(0.11, 0.14),
                Size::Small => self.random.between(0.16, 0.20),
                Size::Medium => self.random.between(0.25, 0.31),
                Size::Large => self.random.between(0.35, 0.40),
                Size::Huge => self.random.between(0.45, 0.52),
            };
        let free = (side * 0.48 - radius).max(0.0);
        let (dx, dy) = match position {
            Position::Middle => (0.0, 0.0),
            Position::Left => (-0.85, 0.0),
            Position::Right => (0.85, 0.0),
            Position::Top => (0.0, -0.85),
            Position::Bottom => (0.0, 0.85),
        };
        let x = side / 2.0 + free * (dx + self.random.between(-0.15, 0.15));
        let y = side / 2.0 + free * (dy + self.random.between(-0.15, 0.15));
        self.spot(subject, x, y, radius)
    }

    /// Spots of several things, apart from each other.
    fn several(&mut self, subject: Subject, size: Size, count: usize) -> Vec<Spot> {
        let side = self.side();
        let layouts: &[&[(f32, f32)]] = match count {
            2 => &[
                &[(0.27, 0.5), (0.73, 0.5)],
                &[(0.3, 0.3), (0.7, 0.7)],
                &[(0.7, 0.3), (0.3, 0.7)],
                &[(0.5, 0.27), (0.5, 0.73)],
            ],
            3 => &[
                &[(0.5, 0.27), (0.27, 0.72), (0.73, 0.72)],
                &[(0.5, 0.73), (0.27, 0.28), (0.73, 0.28)],
                &[(0.2, 0.22), (0.5, 0.5), (0.8, 0.78)],
                &[(0.8, 0.22), (0.5, 0.5), (0.2, 0.78)],
            ],
            4 => &[
                &[(0.27, 0.27), (0.73, 0.27), (0.27, 0.73), (0.73, 0.73)],
                &[(0.5, 0.19), (0.2, 0.5), (0.8, 0.5), (0.5, 0.81)],
            ],
            _ => &[
                &[
                    (0.21, 0.21),
                    (0.79, 0.21),
                    (0.5, 0.5),
                    (0.21, 0.79),
                    (0.79, 0.79),
                ],
                &[
                    (0.3, 0.22),
                    (0.7, 0.22),
                    (0.18, 0.68),
                    (0.5, 0.75),
                    (0.82, 0.68),
                ],
            ],
        };
        let layout = self.random.pick(layouts);
        let most = match count {
            2 => 0.215,
            3 => 0.19,
            4 => 0.175,
            _ => 0.155,
        };
        let small = matches!(size, Size::Tiny | Size::Small);
        let radius = side * most * if small { 0.78 } else { 1.0 };
        layout
            .iter()
            .map(|(x, y)| {
                let x = side * (x + self.random.between(-0.025, 0.025));
                let y = side * (y + self.random.between(-0.025, 0.025));
                let radius = radius * self.random.between(0.94, 1.06);
                self.spot(subject, x, y, radius)
            })
            .collect()
    }

    fn beside(&mut self, first: Subject, second: Subject, position: Position) -> (Spot, Spot) {
        let side = self.side();
        let (dx, dy) = match position {
            Position::Middle | Position::Left => (-0.24, 0.0),
            Position::Right => (0.24, 0.0),
            Position::Top => (0.0, -0.24),
            Position::Bottom => (0.0, 0.24),
        };
        let mut one = |subject, sign: f32| {
            let x = side * (0.5 + sign * dx + self.random.between(-0.03, 0.03));
            let y = side * (0.5 + sign * dy + self.random.between(-0.03, 0.03));
            let radius = side * self.random.between(0.19, 0.23);
            self.spot(subject, x, y, radius)
        };
        (one(first, 1.0), one(second, -1.0))
    }

    fn paint_things(&mut self, subject: Subject, spots: &[Spot]) {
        let radius = spots.first().map_or(1.0, |spot| spot.radius);
        let unit = self.canvas.unit();
        let period = (radius * self.random.between(0.36, 0.46)).max(4.4 * unit);
        let surface = Surface::new(subject.colour, subject.pattern, period, &mut self.random);
        let accent = subject
            .part_colour
            .or(subject.thing.part().map(|part| part.natural))
            .unwrap_or(subject.colour);
        let accent = vary(accent.rgb(), &mut self.random);
        let light = (
            self.random.between(-1.0, 1.0),
            self.random.between(-1.0, -0.2),
        );
        for spot in spots {
            self.paint_thing(subject, spot, &surface, accent, light);
        }
    }

    fn paint_thing(
        &mut self,
        subject: Subject,
        spot: &Spot,
        surface: &Surface,
        accent: Rgb,
        light: (f32, f32),
    ) {
        let layers = layers(subject.thing);
        let style = self.scene.style;
        let unit = self.canvas.unit();
        let outlines: Vec<Outline> = layers
            .iter()
            .map(|layer| Outline::new(&layer.polygons, |p| spot.place(p)))
            .collect();
        while self.shapes.len() < layers.len() + 1 {
            self.shapes.push(Shape::new(self.canvas.side));
        }
        for (shape, outline) in self.shapes.iter_mut().zip(&outlines) {
            shape.fill(outline);
        }
        if !matches!(style, Style::Sketch | Style::Poster | Style::Cartoon) {
            self.paint_shadow(layers.len(), unit);
        }
        let Some((line, shapes)) = self.shapes.split_last_mut() else {
            return;
        };
        for ((layer, shape), outline) in layers.iter().zip(shapes).zip(&outlines) {
            let flat = match layer.role {
                Role::Body => surface.first,
                Role::Accent => accent,
                Role::Shade => scale(surface.first, 0.68),
                Role::Dark => BLACK,
                Role::Light => WHITE,
                Role::Stalk => [0.18, 0.48, 0.16],
                Role::Glow => [0.98, 0.62, 0.12],
            };
            // The outline is below its layer, so that overlapping parts share one outline.
            let ink = match style {
                Style::Cartoon => Some((BLACK, 3.0)),
                Style::Sketch => Some((scale(flat, 0.55), 2.6)),
                _ => None,
            };
            if let (Some((ink, width)), false) = (ink, is_detail(layer.role)) {
                line.stroke(outline, width * unit);
                self.canvas.paint_masked(line, |_, _| ink);
            }
            self.canvas.paint_masked(shape, |x, y| {
                let (dx, dy) = spot.within(x, y);
                let colour = match layer.role {
                    Role::Body => surface.at(dx, dy),
                    _ => flat,
                };
                match style {
                    Style::Sketch => pencil(colour, x, y),
                    Style::Poster | Style::Cartoon => colour,
                    _ => shaded(colour, dx / spot.radius, dy / spot.radius, light, style),
                }
            });
        }
    }

    /// A soft shadow below and beside the first `count` shapes.
    fn paint_shadow(&mut self, count: usize, unit: f32) {
        let Some((silhouette, shapes)) = self.shapes.split_last_mut() else {
            return;
        };
        silhouette.fill(&Outline::new([], |p| p));
        for shape in shapes.iter().take(count) {
            silhouette.join(shape);
        }
        let (near, far) = (unit.round() as isize, (2.0 * unit).round() as isize);
        let silhouette = &*silhouette;
        self.canvas.paint(|x, y, colour| {
            let (x, y) = (x as isize, y as isize);
            let shadow = 0.22 * silhouette.cover(x - near, y - near)
                + 0.18 * silhouette.cover(x - far, y - far)
                + 0.12 * silhouette.cover(x + near, y + near);
            scale(colour, 1.0 - shadow)
        });
    }
}

/// Whether a layer is inside others and needs no outline.
fn is_detail(role: Role) -> bool {
    matches!(role, Role::Dark | Role::Light | Role::Shade)
}

/// A colour under light from one side.
fn shaded(flat: Rgb, x: f32, y: f32, light: (f32, f32), style: Style) -> Rgb {
    let lit = scale(flat, 1.0 + 0.13 * (x * light.0 + y * light.1));
    if style != Style::Plastic {
        return lit;
    }
    // Plastic shines.
    let (hx, hy) = (x - 0.32 * light.0, y - 0.45 * light.1);
    let shine = 1.0 / (1.0 + 22.0 * (hx * hx + hy * hy));
    let rim = (x * x + y * y - 0.35).max(0.0) * 0.35;
    blend(
        scale(lit, 1.0 - rim),
        [1.0, 1.0, 1.0],
        (1.5 * shine - 0.25).clamp(0.0, 0.85),
    )
}

/// A colour in crayon on paper: hatched.
fn pencil(colour: Rgb, x: usize, y: usize) -> Rgb {
    let stroke = (fract((x + y) as f32 / 3.0) - 0.5).abs() * 2.0;
    blend(PAPER, colour, 0.42 + 0.40 * stroke)
}
